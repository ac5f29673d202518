"""Whether the device computes the right thing: golden tensors, and trainings of small networks."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import golden_blocks
import golden_networks
import torch
from accelerator.bench import Bench
from accelerator.prepared import SMALL
from accelerator.steps import end_epoch

from seqrec.protocol.evaluation import evaluate
from seqrec.training.scoring import network_scorers

MOST_DIFFERENCE = {"values": 1e-5, "gradients": 1e-4}
"""Relative differences to the golden tensors that the tests allow."""
EPOCHS = 4
SAME_METRIC = 5e-3
"""Largest difference of NDCG@10 between devices: a near tie of some of the 200 users may be ranked
either way."""


def golden(bench: Bench) -> Iterator[dict[str, Any]]:
    """Compare networks and layers with the tensors of other implementations."""
    for folder in (golden_networks.FOLDER, golden_blocks.FOLDER):
        if not folder.is_dir():
            yield {"error": f"{folder}: no golden tensors here"}
            return
    device = bench.device
    values, gradients, ranks = [], [], []
    for file in golden_networks.STEPS:
        loss, gradient = golden_networks.step_differences(file, device=device)
        values.append(loss)
        gradients.append(gradient)
    for family in golden_networks.BUILDERS:
        for compare in (golden_networks.prediction, golden_networks.shortcut):
            difference, same_ranks = compare(family, device)
            values.append(difference)
            ranks.append(same_ranks)
    for file in (*golden_blocks.LIGR, *golden_blocks.STU):
        output, gradient = golden_blocks.layer_differences(file, device)
        values += [output, golden_blocks.shortcut_difference(file, device)]
        gradients.append(gradient)
    largest = {"values": max(values), "gradients": max(gradients)}
    yield {
        "largest difference": largest,
        "same ranks": all(ranks),
        "agrees": all(ranks) and all(largest[kind] < MOST_DIFFERENCE[kind] for kind in largest),
    }


def learns(bench: Bench, model: str, precision: str, compile: bool) -> Iterator[dict[str, Any]]:
    """Train a small network, see that the host waits for nothing, and rank on the CPU as well."""
    trainer = bench.trainer(SMALL, model, precision, compile)
    losses = []
    waits = ""
    for epoch in range(EPOCHS):
        # Earlier ones set up what is set up once, which may wait.
        with waiting_refused(bench, epoch == EPOCHS - 1) as waited:
            trainer.begin_epoch()
            while trainer.users_left:
                trainer.step()
        waits = waits or waited[0]
        while trainer.users_left:
            trainer.step()
        losses.append(end_epoch(trainer))
    config, network, splits = trainer.config, trainer.network.eval(), trainer.splits
    cpu = torch.device("cpu")
    quality = {}
    for device in (bench.device, cpu):
        scorers = network_scorers(network.to(device), splits, config.max_length, device)
        quality[device] = evaluate(scorers, splits, config).test["ndcg@10"]
    difference = abs(quality[bench.device] - quality[cpu])
    yield {
        "losses": losses,
        "finite": all(map(math.isfinite, losses)),
        "learns": losses[-1] < losses[0],
        "host waits": waits if bench.device.type == "cuda" else None,
        "ndcg@10": quality[bench.device],
        "differs from the CPU's by": difference,
        "agrees": losses[-1] < losses[0] and not waits and difference <= SAME_METRIC,
    }


@contextmanager
def waiting_refused(bench: Bench, refused: bool) -> Iterator[list[str]]:
    """Make it an error that the host waits for the device; the list then says where it did."""
    found = [""]
    refused = refused and bench.device.type == "cuda"
    if refused:
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield found
    except RuntimeError as error:
        if not refused or "synchroniz" not in str(error):
            raise
        found[0] = str(error).splitlines()[0]
    finally:
        if refused:
            torch.cuda.set_sync_debug_mode("default")
