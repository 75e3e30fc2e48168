"""Three files of 20 images each: ``python beamline_script.py FOLDER [ENGINE]``."""

import sys

import repstream

folder, engine_address = sys.argv[1], [*sys.argv, "tcp://127.0.0.1:9600"][2]

with repstream.Client(engine_address) as engine:
    writer = engine.writers.main
    for point in range(3):
        writer.output_file = f"{folder}/scan_{point}.h5"
        writer.num_images = 20
        end = writer.start().wait(60)  # until the file is closed
        if not end.ok:  # fewer images than asked for, aborted, or failed
            sys.exit(end.message)
        print(f"{writer.full_file_name}: {writer.num_written} images. {end.message}")
