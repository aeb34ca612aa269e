# SPDX-License-Identifier: Apache-2.0
"""1, 2, 3 and 4 ranks compute the same three steps of the same global batch; the same number of ranks, the same bits.

An fp32 sum in another order differs by about 1e-7. Through a deep network a ReLU input within that of zero can change sides: among the few
hundred of a small batch that moves the gradient of a narrow layer, and the bias that it is added to, by per cents. So the bound of 1e-5 is
on all tensors of a kind together, by norm, and on the middle one of three seeds (1.1e-6 to 1.5e-6 without such a ReLU, 1.1e-5 with one, on
one in five); a single tensor may be off by 1e-3, or where such a gradient goes by 0.2.
"""
import h5py
from program import BATCH, FOLDER, command, make_images, np, require_same_bits, run, tensors

STEPS, SEEDS, TOGETHER, ONE_RELU, SINGLE, BEHIND_RELU = 3, (0, 1, 2), 1e-5, 1e-4, 1e-3, 0.2


def norm(values):
    return np.sqrt(sum(float(np.square(value, dtype=np.float64).sum()) for value in values))


def trace_of(name, ranks, **flags):
    run(command(FOLDER / name, ranks, trace=FOLDER / f"{name}.h5", trace_steps=STEPS, stop_after_steps=STEPS, **flags), expect=75)
    with h5py.File(FOLDER / f"{name}.h5") as trace:
        steps = [{key: float(value) for key, value in trace[group].attrs.items()} for group in sorted(trace)]
    return steps, tensors(FOLDER / f"{name}.h5")


def kinds(values):
    groups = {}
    for name in values:
        if name != "step" and not name.endswith(("num_batches_tracked", "sample_ids")):
            step, kind = name.split("/")[:2]
            groups.setdefault(f"{step}/{kind}", []).append(name)
    return groups


def compare(alone, shared, what):
    for one, many in zip(alone[0], shared[0]):
        for key, value in one.items():
            assert abs(many[key] - value) <= TOGETHER * abs(value), f"{what}: {key} {many[key]}, alone {value}"
    worst = {}
    for kind, names in kinds(alone[1]).items():
        one, many = ({name: side[1][name] for name in names} for side in (alone, shared))
        difference = {name: many[name].astype(np.float64) - one[name] for name in names}
        together = norm(difference.values()) / norm(one.values())
        single = max(norm([difference[name]]) / max(norm([one[name]]), 1e-12) for name in names)
        worst[kind] = together
        assert together <= ONE_RELU, f"{what}: {kind} off by {together:.1e} of its norm"
        bound = BEHIND_RELU if kind.endswith(("gradients", "parameters_before", "parameters_after")) else SINGLE
        assert single <= bound, f"{what}: a tensor of {kind} off by {single:.1e} of its norm"
    for name in alone[1]:
        if name.endswith(("sample_ids", "views")):
            assert alone[1][name].tobytes() == shared[1][name].tobytes(), f"{what}: {name} differs"
    return max(worst.items(), key=lambda item: item[1])


make_images()
for form, shares, width in (("direct", (3,), 64), ("gram", (2, 3, 4), 16)):
    errors = {ranks: [] for ranks in shares}
    for seed in SEEDS:
        alone = trace_of(f"{form}-1-{seed}", 1, loss_form=form, backbone_width=width, seed=seed)
        assert len(alone[0]) == STEPS
        for ranks in shares:
            shared = trace_of(f"{form}-{ranks}-{seed}", ranks, loss_form=form, backbone_width=width, seed=seed)
            errors[ranks].append(compare(alone, shared, f"{form}, {ranks} ranks, seed {seed}"))
    for ranks, found in errors.items():
        kind, error = sorted(found, key=lambda item: item[1])[len(SEEDS) // 2]
        print(f"{form:6} loss, {ranks} ranks against 1: {kind}, {error:.1e} of its norm")
        assert error <= TOGETHER, f"{form}, {ranks} ranks: {kind} off by {error:.1e} of its norm"

again = trace_of("again", 2, loss_form="gram", seed=SEEDS[-1])
require_same_bits(tensors(FOLDER / f"gram-2-{SEEDS[-1]}.h5"), again[1], "2 ranks, twice")

seen = np.concatenate([alone[1][f"step_{step:06}/sample_ids"] for step in range(STEPS)])
assert len(set(seen)) == STEPS * BATCH, "an epoch shows an image twice"
other = trace_of("other-seed", 1, seed=7)[1]
assert not np.array_equal(other["step_000000/sample_ids"], alone[1]["step_000000/sample_ids"]), "the seed changes no order"
