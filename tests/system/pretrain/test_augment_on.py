# SPDX-License-Identifier: Apache-2.0
"""Views made by the device are those of the loader's threads, so a run is the same bit for bit, and may change sides when it goes on."""
import h5py
from program import FOLDER, STEPS_PER_EPOCH, command, make_images, require_same_bits, run, tensors

TOTAL = 2 * STEPS_PER_EPOCH


def traced(name, ranks, **flags):
    errors = run(command(FOLDER / name, ranks, trace=FOLDER / f"{name}.h5", trace_steps=TOTAL, **flags))
    assert ("views made by the device" in errors) == (flags["augment_on"] == "device"), errors
    snapshot = tensors(FOLDER / name / "snapshot.h5")
    return {**tensors(FOLDER / f"{name}.h5"), **{f"snapshot/{key}": value for key, value in snapshot.items()}}


def check_same_run():
    """Everything that a run computes, the report's look at the views too."""
    for ranks in (1, 2):
        host = traced(f"host-{ranks}", ranks, augment_on="cpu")
        device = traced(f"device-{ranks}", ranks, augment_on="device")
        assert len(host) > 100 and host["step_000000/views"].std() > 0.5
        require_same_bits(host, device, f"{ranks} ranks")


def check_other_steps():
    """Centred crops and a large blur; views larger than what they are made of."""
    flags = {"crop": "center", "blur_1": 1, "blur_sigma_min": 3, "blur_sigma_max": 9, "solarize_2": 1, "image_size": 48, "epochs": 1}
    require_same_bits(traced("host-other", 1, augment_on="cpu", **flags), traced("device-other", 1, augment_on="device", **flags), "other")


def check_resume():
    """Stopped in the middle of an epoch, gone on with on the other side, and back."""
    reference = tensors(FOLDER / "host-2" / "checkpoint.h5")
    for steps, side in ((3, "device"), (2, "cpu")):
        run(command(FOLDER / "moving", 2, augment_on=side, stop_after_steps=steps), expect=75)
    run(command(FOLDER / "moving", 2, augment_on="device"))
    require_same_bits(reference, tensors(FOLDER / "moving" / "checkpoint.h5"), "a run that changed sides")


def check_replacement():
    """What stands in for a corrupt image is the same, whoever makes the views."""
    copy = FOLDER / "corrupt.h5"
    make_images(copy)
    with h5py.File(copy, "r+") as file:
        start, end = (int(value) for value in file["offsets"][7:9])
        file["bytes"][start:end] = 0
    sides = [traced(f"{side}-replaced", 2, data=copy, on_corrupt="replace", augment_on=side) for side in ("cpu", "device")]
    require_same_bits(*sides, "a corrupt image")
    errors = run(command(FOLDER / "stops", 2, data=copy, augment_on="device"), expect=2)
    assert "sample 7 " in errors, errors


make_images()
for check in (check_same_run, check_other_steps, check_resume, check_replacement):
    check()
errors = run(command(FOLDER / "refused", augment_on="gpu"), expect=2)
assert "--augment-on" in errors and "device" in errors, errors
print("views of the device and of the loader: equal bits")
