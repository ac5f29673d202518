"""`make accelerator` measures every part, survives what fails, and tells what was not reached."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_runs import ROOT

PROGRAM = ROOT / "tests/benchmarks/accelerator"


@pytest.fixture(scope="module")
def accelerator(benchmark: Any) -> Iterator[Any]:
    """The package of the measurement."""
    import accelerator.driver
    import accelerator.plan
    import accelerator.prepared
    import accelerator.tables
    import accelerator.worker

    yield accelerator


@pytest.fixture(scope="module")
def tiny(accelerator: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder that was prepared for a tiny measurement, with its logs."""
    folder = tmp_path_factory.mktemp("prepared")
    accelerator.prepared.prepare(folder, folder / "processed", tiny=True)
    found = accelerator.prepared.Prepared.read(folder)
    found.simulate(found.missing())
    return found


def measured(accelerator: Any, tiny: Any, path: Path, parts: Any, seconds: float = 300) -> Any:
    """Measure, and return the results and which cases were tried."""
    results = accelerator.driver.Results(path, tiny, anew=False)
    measurement = accelerator.driver.Measurement(tiny, results, seconds)
    try:
        measurement.run(parts, lambda line: None)
    finally:
        measurement.close()
    return json.loads(path.read_text()), measurement.tried


def test_every_model_is_timed_on_every_log_in_every_way(accelerator: Any, tiny: Any) -> None:
    from seqrec.experiment.grid import load_experiment

    whole = accelerator.prepared.Prepared(tiny.folder, False, tiny.configs, {}, {})
    parts = {part.name: part.cases for part in accelerator.plan.plan(whole)}
    networks = {
        run.model
        for experiment in ("paper", "beyond")
        for run in load_experiment(experiment).runs
        if run.loss
    }
    logs = {"ml-1m", "beauty", "like-ml-20m", "like-steam", "like-yelp"}
    timed = [tuple(case.arguments.values()) for case in parts["steps"]]
    assert sorted(timed) == sorted(
        (log, model, precision, compile)
        for log in logs
        for model in networks
        for precision in ("float32", "bfloat16")
        for compile in (False, True)
    )
    for cases in parts.values():
        assert len({case.name for case in cases}) == len(cases)
        assert {case.kind for case in cases} <= accelerator.worker.KINDS.keys()


def test_a_tiny_plan_has_every_kind_of_case(accelerator: Any, tiny: Any) -> None:
    cases = [case for part in accelerator.plan.plan(tiny) for case in part.cases]
    assert {case.kind for case in cases} == accelerator.worker.KINDS.keys() - {"sharer"}
    assert any(case.arguments.get("compile") for case in cases)


def test_what_fails_is_told_and_the_rest_goes_on(
    accelerator: Any, tiny: Any, tmp_path: Path
) -> None:
    plan = accelerator.plan
    small = {"precision": "float32", "compile": False}
    cases = [
        plan.Case("absent", "learns", {"model": "absent", **small}, 1),
        plan.Case("sasrec+", "learns", {"model": "sasrec+", **small}, 1),
        plan.Case("takes too long", "learns", {"model": "sasrec+", **small}, 10_000),
    ]
    path = tmp_path / "results.json"
    result, tried = measured(accelerator, tiny, path, [plan.Part("checks", 1, cases)])
    found = result["parts"]["checks"]
    assert found["absent"]["error"] == "KeyError: 'absent'"
    assert found["sasrec+"]["agrees"]
    assert found["sasrec+"]["peak bytes"] > 2**20
    assert found["takes too long"]["not reached"]
    assert tried == {("checks", "absent"), ("checks", "sasrec+")}

    # A second call keeps what is there; here it has no time for what is missing.
    again, tried = measured(accelerator, tiny, path, [plan.Part("checks", 1, cases)], seconds=0)
    assert again["parts"]["checks"]["sasrec+"] == found["sasrec+"]
    assert again["parts"]["checks"]["absent"]["not reached"]
    assert not tried


def test_what_the_end_of_the_time_cuts_short_was_not_reached(
    accelerator: Any, tiny: Any, tmp_path: Path
) -> None:
    cases = [accelerator.plan.Case("golden tensors", "golden", {}, 0)]
    parts = [accelerator.plan.Part("checks", 1, cases)]
    result, tried = measured(accelerator, tiny, tmp_path / "results.json", parts, seconds=0.2)
    assert tried
    assert result["parts"]["checks"]["golden tensors"]["not reached"]
    assert "error" not in result["parts"]["checks"]["golden tensors"]


def test_results_of_other_code_are_measured_again(
    accelerator: Any, tiny: Any, tmp_path: Path
) -> None:
    part = accelerator.plan.Part("checks", 1, [accelerator.plan.Case("a", "golden", {}, 1)])
    results = accelerator.driver.Results(tmp_path / "results.json", tiny, anew=False)
    results.put(part, part.cases[0], {"agrees": True})
    assert results.has(part, part.cases[0])
    results.code = "other"
    assert not results.has(part, part.cases[0])
    for anew in (False, True):
        later = accelerator.driver.Results(tmp_path / "results.json", tiny, anew)
        assert later.has(part, part.cases[0]) != anew


def test_a_process_that_dies_or_hangs_fails_its_case_alone(accelerator: Any, tiny: Any) -> None:
    process = accelerator.driver.Process(tiny.folder)
    process.await_start()
    process.send({"kind": "sharer", "arguments": {}})  # lacks all arguments
    with pytest.raises(accelerator.driver.Failed, match="missing 4 required"):
        process.answer(60)
    with pytest.raises(accelerator.driver.Ended, match="took too long"):
        process.answer(0.01)
    with pytest.raises(accelerator.driver.Ended):
        process.send({"kind": "golden", "arguments": {}})


def results_of(accelerator: Any, tiny: Any, found: dict[str, Any]) -> dict[str, Any]:
    parts = {
        part.name: {case.name: {**case.arguments, **found} for case in part.cases}
        for part in accelerator.plan.plan(tiny)
    }
    conditions = {"device": "NVIDIA X", "kind": "cuda", "torch": "2", "when": "2026-01-02T03:04"}
    published = tiny.published_seconds
    return {**conditions, "what": "accelerator", "tiny": False, "parts": parts} | {
        "published": published
    }


def test_tables_say_what_was_not_reached_and_what_failed(accelerator: Any, tiny: Any) -> None:
    missing = accelerator.tables.tables(results_of(accelerator, tiny, {"not reached": True}))
    assert " 0 failed" in missing
    assert "| ml-1m       | sasrec+     | not reached" in missing
    failed = accelerator.tables.tables(results_of(accelerator, tiny, {"error": "out of memory"}))
    assert "0 of " in failed
    assert "| failed" in failed
    step = {"step, s": 0.00123, "epoch, s": 4.5, "peak bytes": 2e9, "agrees": True}
    found = accelerator.tables.tables(results_of(accelerator, tiny, step))
    assert "| 1.23 " in found
    assert "| 2.00 " in found


def test_pages_show_accelerators_alone_and_say_that_none_was_measured(
    accelerator: Any, tiny: Any, tmp_path: Path
) -> None:
    of_accelerators = accelerator.tables.of_accelerators
    result = results_of(accelerator, tiny, {"not reached": True})
    (tmp_path / "cpu.json").write_text(json.dumps({"device": "a CPU", "cases": {}}))
    (tmp_path / "amd.json").write_text(json.dumps(result | {"kind": "cpu"}))
    (tmp_path / "tiny.json").write_text(json.dumps(result | {"tiny": True}))
    assert of_accelerators(tmp_path) == accelerator.tables.NOT_MEASURED
    (tmp_path / "nvidia-x.json").write_text(json.dumps(result))
    assert of_accelerators(tmp_path).startswith("NVIDIA X, torch 2, 2026-01-02: 0 of ")


def test_a_folder_that_was_not_prepared_is_refused_with_the_command(tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAM), "--prepared", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"accelerator --prepare {tmp_path}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_all_of_it_runs_on_a_bare_machine_within_two_minutes(
    accelerator: Any, tiny: Any, tmp_path: Path
) -> None:
    output = tmp_path / "results.json"
    command = [sys.executable, str(PROGRAM), "--prepared", str(tiny.folder), "--bare"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*command, "--output", str(output)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 120  # a busy machine takes longer by the clock
    result = json.loads(output.read_text())
    for part in accelerator.plan.plan(tiny):
        for case in part.cases:
            found = result["parts"][part.name][case.name]
            assert not found.keys() & {"error", "not reached"}, (case.name, found)
            assert found.get("agrees", True), (case.name, found)
    assert accelerator.tables.tables(result) in done.stdout
    assert "not reached |\n" in done.stdout  # a column of the checks
