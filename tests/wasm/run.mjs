// Runs the library's unit tests as they are compiled for the target that ships:
//
//   CARGO_TARGET_WASM32_WASIP1_RUNNER="node tests/wasm/run.mjs" \
//     cargo test --lib --target wasm32-wasip1
//
// Pointers of 32 bits, another allocator and another code generator are where a
// test that passes natively can fail in the module. wasm-bindgen-test would be the
// usual choice, but its harness speaks to JavaScript through wasm-bindgen, which
// knows wasm32-unknown-unknown: on wasm32-wasip1 its tests compile to nothing and
// all of none pass. Plain `#[test]`s need only WASI, and Node has that.
//
// A panic cannot unwind on this target, so the first test that fails ends the run,
// and only what was not captured tells why.

import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const [file, ...options] = process.argv.slice(2);
const wasi = new WASI({
  version: "preview1",
  args: [file, "--nocapture", ...options],
  env: { RUST_BACKTRACE: process.env.RUST_BACKTRACE ?? "0" },
  preopens: {},
  returnOnExit: true,
});
const module = await WebAssembly.compile(await readFile(file));
const { exports } = await WebAssembly.instantiate(module, {
  ...wasi.getImportObject(),
  env: hostWithoutEnvoy(module),
});
if (exports._start === undefined) {
  throw new Error(`${file} is no test: it has no \`_start\``);
}

// The filter exports `_initialize` for Envoy, and WASI takes no program with both.
const { _initialize, ...program } = exports;
try {
  process.exitCode = wasi.start({ exports: program });
} catch (error) {
  if (!(error instanceof WebAssembly.RuntimeError)) throw error;
  console.error(`\na test panicked: ${error.message}`);
  process.exitCode = 101;
}

/** Stands in for Envoy. A unit test that calls the host tests something else. */
function hostWithoutEnvoy(module) {
  const host = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (from !== "env") continue;
    if (kind !== "function" || !name.startsWith("proxy_")) {
      throw new Error(`\`env.${name}\` is nothing that Envoy offers`);
    }
    host[name] = () => {
      throw new WebAssembly.RuntimeError(`a unit test called the host: \`${name}\``);
    };
  }
  return host;
}
