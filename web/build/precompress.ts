import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

/** What is compressed already is served as it is. */
const COMPRESSED = /\.(png|ico|webp|woff2|br|gz)$/;

function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}

/**
 * After the build: the service worker learns which files make the shell, and each file gets a brotli and a gzip
 * variant beside it, where that is smaller.
 */
export function precompress(): Plugin {
  let out = 'dist';
  let failed = false;
  return {
    name: 'loquat-precompress',
    apply: 'build',
    configResolved: (config) => {
      out = config.build.outDir;
    },
    buildEnd: (error) => {
      failed ||= error !== undefined;
    },
    closeBundle: () => {
      if (failed) return;
      const built = files(out).filter((path) => !/\.(br|gz)$/.test(path));
      const worker = join(out, 'service-worker.js');
      const shell = built
        .filter((path) => path !== worker)
        .map((path) => '/' + relative(out, path).replaceAll('\\', '/'))
        .filter((path) => !path.includes('emoji') && path !== '/index.html');
      const version = createHash('sha256');
      for (const path of built) version.update(path).update(readFileSync(path));
      writeFileSync(
        worker,
        readFileSync(worker, 'utf8')
          .replace('__SHELL__', JSON.stringify(['/', ...shell]))
          .replace('__VERSION__', version.digest('hex').slice(0, 16)),
      );
      for (const path of built.filter((path) => !COMPRESSED.test(path))) {
        const bytes = readFileSync(path);
        const brotli = brotliCompressSync(bytes, {
          params: {
            [constants.BROTLI_PARAM_QUALITY]: 11,
            [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
          },
        });
        const gzip = gzipSync(bytes, { level: 9 });
        if (brotli.length < bytes.length) writeFileSync(path + '.br', brotli);
        if (gzip.length < bytes.length) writeFileSync(path + '.gz', gzip);
      }
    },
  };
}
