// Runs a Python file in WebAssembly and prints what its last expression says.
//   node run.mjs CACHE CHECKOUT FILE.py
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [cache, checkout, file] = process.argv.slice(2);
const entry = pathToFileURL(`${cache}/node_modules/pyodide/pyodide.mjs`);
const { loadPyodide } = await import(entry);

// The answer has stdout to itself.
const python = await loadPyodide({ stdout: console.error, stderr: console.error });
for (const [there, here] of [["/site", `${cache}/site`], ["/checkout", checkout]]) {
  python.FS.mkdirTree(there);
  python.mountNodeFS(there, here);
}
python.runPython("import sys; sys.path[:0] = ['/site', '/checkout']");
console.log(await python.runPythonAsync(readFileSync(file, "utf8")));
