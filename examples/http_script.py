"""One file of 20 images through HTTP: ``python http_script.py FOLDER [URL]``."""

import sys

import httpx

folder, url = sys.argv[1], [*sys.argv, "http://127.0.0.1:8000"][2]


def checked(answer: httpx.Response) -> httpx.Response:
    """Refused, failed, or fewer images than asked for: the reason is in the answer."""
    if answer.is_error:
        sys.exit(answer.json()["error"]["reason"])
    return answer


with httpx.Client(base_url=f"{url}/api/v1", timeout=90) as http:
    wanted = {"writers.main.output_file": f"{folder}/from_http.h5", "writers.main.num_images": 20}
    checked(http.patch("/parameters", json=wanted))
    checked(http.post("/commands/writers.main.start", json={"wait": 60}))  # until the file is closed
    seen = checked(http.get("/parameters", params={"group": "writers"})).json()["values"]
    print(f"{seen['writers.main.full_file_name']}: {seen['writers.main.num_written']} images.", end=" ")
    print(seen["writers.main.acq_message"])
