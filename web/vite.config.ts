import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { precompress } from './build/precompress.ts';

/** `cargo xtask web` says where the engine is; by default where it puts it. */
const engine =
  process.env.LOQUAT_ENGINE ??
  fileURLToPath(
    new URL('../target/wasm/wasm32-unknown-unknown/web/loquat_web_engine.wasm', import.meta.url),
  );

export default defineConfig({
  plugins: [
    // Fragments are built node by node: `innerHTML` is refused by the page's Trusted Types.
    svelte({ configFile: false, compilerOptions: { fragments: 'tree' } }),
    precompress(),
  ],
  resolve: { alias: [{ find: /^#engine\.wasm/, replacement: engine }] },
  assetsInclude: ['**/*.wasm'],
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // Told apart by name: what is not kept for working offline.
        chunkFileNames: ({ moduleIds }) =>
          moduleIds.some((id) => id.includes('emojibase-data')) ? 'assets/emoji-[hash].js' : 'assets/[name]-[hash].js',
      },
    },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1500,
  },
  server: { proxy: { '/v1': { target: 'http://127.0.0.1:8080', ws: true } } },
});
