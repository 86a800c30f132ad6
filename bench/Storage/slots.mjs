#!/usr/bin/env node
// llama.cpp's side of `./dev bench store`: one sequence of so many tokens, whose state is saved to and loaded from files as standard input says.
// usage: node slots.mjs --modules DIR_WITH_node_modules --model F.gguf --kv f16|f32 --tokens N
// in: `save PATH` or `load PATH`, a line each; out: `ready`, then for each line the call's milliseconds and its file's bytes, or `failed` and why.
// The calls are those of llama-server's slots: llama_state_seq_save_file and llama_state_seq_load_file, in the context that holds the sequence. Neither syncs.
import path from "node:path";
import fs from "node:fs";
import readline from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

process.env.NODE_LLAMA_CPP_SKIP_DOWNLOAD = "true";
process.env.NODE_LLAMA_CPP_GPU = "false";
const argument = name => process.argv[process.argv.indexOf("--" + name) + 1];
const resolve = createRequire(path.join(path.resolve(argument("modules")), "x.js")).resolve;
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(resolve("node-llama-cpp")).href);
const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, usePrebuiltBinaries: true, logLevel: LlamaLogLevel.error, maxThreads: 0 });
const model = await llama.loadModel({ modelPath: argument("model"), gpuLayers: 0, ignoreMemorySafetyChecks: true });

const tokens = Number(argument("tokens")), spare = 16, batch = 512, kv = argument("kv").toUpperCase();
const owner = await model.createContext({
  contextSize: tokens + spare, sequences: 1, batchSize: batch, threads: 2, flashAttention: "auto",
  experimentalKvCacheKeyType: kv, experimentalKvCacheValueType: kv, ignoreMemorySafetyChecks: true,
});
const context = owner._ctx;
const ids = Uint32Array.from({ length: tokens }, (_, index) => 10 + (index * 7919) % 50000);
for (let at = 0; at < tokens; at += batch) {
  const some = ids.subarray(at, at + batch);
  context.initBatch(some.length);
  context.addToBatch(0, at, some, new Uint32Array(0));
  await context.decodeBatch();
}

console.log("ready");
for await (const line of readline.createInterface({ input: process.stdin })) {
  const [work, ...rest] = line.split(" "), file = rest.join(" ");
  try {
    const started = process.hrtime.bigint();
    const loaded = work === "save" ? await context.saveSequenceStateToFile(file, 0, ids) : await context.loadSequenceStateFromFile(file, 0, tokens + spare);
    const taken = Number(process.hrtime.bigint() - started) / 1e6;
    if (work === "load" && loaded.length !== tokens) throw new Error(`${loaded.length} tokens were loaded, not ${tokens}`);
    console.log(`${taken} ${fs.statSync(file).size}`);
  } catch (error) {
    console.log(`failed ${error.message}`);
  }
}
await llama.dispose();
process.exit(0);
