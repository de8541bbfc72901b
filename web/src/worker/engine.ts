/** The engine in WebAssembly: text in, text out. */
import url from '#engine.wasm?url';
import type { Input, Output } from '../protocol/types';

interface Exports {
  memory: WebAssembly.Memory;
  loquat_input(length: number): number;
  loquat_call(): number;
  loquat_output(): number;
}

export class Engine {
  readonly #exports: Exports;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();
  readonly #started = performance.now();

  private constructor(exports: Exports) {
    this.#exports = exports;
  }

  static async load(): Promise<Engine> {
    const { instance } = await WebAssembly.instantiateStreaming(fetch(url));
    return new Engine(instance.exports as unknown as Exports);
  }

  /** Milliseconds on the engine's clock, which never goes back. */
  now(): number {
    return Math.floor(performance.now() - this.#started);
  }

  call(input: Input): Output {
    const call = { wall: Date.now(), monotonic_ms: this.now(), input };
    const bytes = this.#encoder.encode(JSON.stringify(call));
    const { loquat_input, loquat_call, loquat_output, memory } = this.#exports;
    const place = loquat_input(bytes.length);
    new Uint8Array(memory.buffer, place, bytes.length).set(bytes);
    const length = loquat_call();
    const output = new Uint8Array(memory.buffer, loquat_output(), length);
    return JSON.parse(this.#decoder.decode(output)) as Output;
  }
}
