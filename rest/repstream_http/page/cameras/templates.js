/** What a new camera or pipeline begins with, by the kind of its source or of its work. */

/** @typedef {import("./server.js").Configuration} Configuration */

/** @type {Record<import("./server.js").Kind, Record<string, Configuration>>} */
export const TEMPLATES = {
  camera: {
    simulation: { source_type: "simulation", source: "simulation", size_x: 1280, size_y: 960, frame_rate: 10 },
    "areaDetector over EPICS": { source_type: "area_detector", source: "13SIM1" },
    "camera of EPICS": { source_type: "epics", source: "SITE-CAMERA" },
    "camera of bsread": { source_type: "bsread", source: "SITE-CAMERA", url: "tcp://host:9999", connections: 1 },
    "channel of a bsread stream": { source_type: "bschannel", source: "tcp://host:9999", channel: "camera:FPICTURE", mode: "SUB" },
    "array-1.0 stream": { source_type: "array10", source: "tcp://host:9999", mode: "SUB" },
    "packed stream": { source_type: "stream", source: "tcp://host:9999" },
    "images of a file": { source_type: "hdf5", source: "/path/images.h5:/entry/data/data", frame_rate: 10 },
    "script": { source_type: "script", source: "script", class: "Camera" },
  },
  pipeline: {
    "beam in the whole image": { camera_name: "simulation" },
    "beam with region and slices": {
      camera_name: "simulation",
      image_good_region: { threshold: 0.3, gfscale: 1.8 },
      image_slices: { number_of_slices: 5, scale: 2, orientation: "vertical" },
    },
    "beam with channels of a stream": { camera_name: "simulation", function: "merge", bsread_address: "tcp://host:9999" },
    "image as it is": { camera_name: "simulation", function: "transparent" },
    "function of a script": { camera_name: "simulation", function: "script.py" },
    "image to one client": { pipeline_type: "store", camera_name: "simulation" },
    "HDF5 file": { camera_name: "simulation", mode: "FILE", file: "beam.h5", records: 100 },
    "any bsread stream": { pipeline_type: "stream", input_stream: "tcp://host:9999" },
    "data of a script": { pipeline_type: "custom", function: "script.py" },
    "fan-out": { pipeline_type: "fanout", camera_name: "simulation" },
    "fan-in": { pipeline_type: "fanin", pid_buffer: 10 },
  },
};

const ITS_OWN = new Set(["name", "alias", "port", "forwarder_port"]);

/** What a copy takes over: all but what only one can have. @param {Configuration} configuration */
export function copyOf(configuration) {
  return Object.fromEntries(Object.entries(configuration).filter(([key]) => !ITS_OWN.has(key)));
}
