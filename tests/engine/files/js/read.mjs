// Reads /entry/data/data of each file as a viewer in a browser does: node read.mjs FILE…; a line of JSON each.
import h5wasm from "h5wasm/node";
import { install_local_plugins } from "h5wasm-plugins";

install_local_plugins(await h5wasm.ready);
for (const path of process.argv.slice(2)) {
  const file = new h5wasm.File(path, "r");
  const data = file.get("/entry/data/data");
  console.log(JSON.stringify({ shape: data.shape, dtype: data.dtype, pixels: Array.from(data.value) }));
  file.close();
}
