"""Scripts of users, as they are written for cam_server."""

WRAPPED = """\
from cam_server.pipeline.data_processing import functions, processor

def process_image(image, pulse_id, timestamp, x_axis, y_axis, parameters, bsdata=None):
    ret = processor.process_image(image, pulse_id, timestamp, x_axis, y_axis, parameters, bsdata)
    ret["average_value"] = float(ret["intensity"]) / len(ret["x_axis"]) / len(ret["y_axis"])
    return ret
"""

STEPS = """\
from cam_server.pipeline.data_processing import functions

def process_image(image, pulse_id, timestamp, x_axis, y_axis, parameters, bsdata=None):
    image = functions.chunk_copy(image)
    functions.apply_threshold(image, parameters["image_threshold"])
    image = functions.get_region_of_interest(image, 10, 80, 5, 60)
    x_axis, y_axis = x_axis[10:90], y_axis[5:65]
    x_profile, y_profile = functions.get_x_y_profile(image)
    curve, offset, amplitude, mean, sigma, center, rms = functions.gauss_fit(x_profile, x_axis)
    _, _, _, _, y_sigma, _, _ = functions.gauss_fit(y_profile, y_axis)
    cuts = {"scaling": 2, "number_of_slices": 3}
    data, length = functions.get_x_slices_data(image, x_axis, y_axis, mean, sigma, **cuts)
    slope, _ = functions.linear_fit([one[0][0] for one in data], [one[0][1] for one in data])
    begin, end = functions.get_good_region_profile(x_profile, 0.3, 1.8)
    indices, half = functions.calculate_slices(x_axis, mean, sigma, scaling=2, number_of_slices=3)
    return {
        "image": image, "mean": mean, "sigma": sigma, "slope": slope, "length": length, "curve": curve,
        "width": functions.get_fwhm(x_axis, x_profile), "extremes": functions.get_min_max(image),
        "good_region": [begin, end], "indices": indices, "half": half,
    }
"""

TROUBLE = """\
import os, signal, sys, time
import numpy as np

def process_image(image, pulse_id, timestamp, x_axis, y_axis, parameters, bsdata):
    return globals()[parameters["do"]](image, bsdata)

def fails(image, bsdata):
    return 1 / 0

def hangs(image, bsdata):
    while True:
        time.sleep(60)

def eats_memory(image, bsdata):
    return {"image": np.ones(1 << 30)}

kept = []

def keeps_arrays(image, bsdata):
    while True:
        kept.append(np.ones(1 << 17))

def keeps_numbers(image, bsdata):
    while True:
        kept.append([0.5] * 9)

def counts_kept(image, bsdata):
    return {"kept": len(kept)}

def returns_more_than_there_is(image, bsdata):
    return {"image": np.broadcast_to(1.0, (1 << 18, 1 << 12))}

def exits(image, bsdata):
    sys.exit("enough")

def crashes(image, bsdata):
    os.kill(os.getpid(), signal.SIGSEGV)

def changes_its_image(image, bsdata):
    image[:] = 7
    return {"image": image}

def returns_a_list(image, bsdata):
    return [1, 2]

def returns_an_object(image, bsdata):
    return {"good": 1, "bad": object()}

def returns_complex_numbers(image, bsdata):
    return {"bad": np.zeros(3, complex)}

def returns_too_great_a_number(image, bsdata):
    return {"bad": 2**70}

def returns_a_number_as_name(image, bsdata):
    return {3: 1}

def returns_nothing(image, bsdata):
    return None

def returns_all_kinds(image, bsdata):
    return {
        "array": image[::2, ::-1], "float": 1.5, "integer": -3, "flag": True, "text": "x", "none": None,
        "scalar": np.float32(0.5), "zero": np.array(4), "list": [1, 2, 3], "empty": np.zeros((0, 3)),
        "nan": float("nan"), "from_bsdata": bsdata["speed"], "its_array": bsdata["trace"] * 2,
    }

def makes_a_great_array(image, bsdata):
    return {"great": np.arange(3_000_000, dtype="u4")}
"""

STREAM = """\
def process(data, pulse_id, timestamp, parameters):
    data["sum"] = data["a"] + data["b"] * parameters["factor"]
    data["when"] = timestamp[0]
    return data
"""

CUSTOM = """\
count = 0

def process(parameters, init):
    global count
    count = 100 if init else count + 1
    return {"count": count}, 1.5, count, 0
"""
