"""What measures how cost grows works in its quick mode, and its figures are what they say."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest


def test_growth_measures_every_part_of_a_step_and_its_memory(
    benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import growth  # the fixture makes it known

    output = tmp_path / "new" / "growth.json"
    growth.main(["--quick", "--output", str(output), "--threads", "1"])
    result = json.loads(output.read_text())
    assert [*result["items"]] == [*growth.WAYS]
    for way, by_items in result["items"].items():
        assert [int(count) for count in by_items] == [*growth.QUICK.items[way]]
        for found in by_items.values():
            parts = [found[part] for part in growth.PARTS]
            assert all(part > 0 for part in parts)
            assert sum(parts) < 1.1 * found["step"]  # medians, each of its own step
            assert found["own bytes"] > 1e7
    assert all(seconds > 0 for seconds in result["length"].values())
    assert output.with_suffix(".png").stat().st_size > 10_000
    assert capsys.readouterr().out.count("| 300 negatives") == 2


def test_every_item_occurs_in_what_growth_trains_on(benchmark: Any) -> None:
    import many_items  # the fixture makes it known

    log = many_items.log_of(5_000)
    trained = log.items.reshape(-1, many_items.HISTORY)[:, : -many_items.HELD_OUT]
    assert sorted({*trained.ravel().tolist()}) == [*range(1, 5_001)]


def test_scale_takes_a_log_all_the_way(
    benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import scale  # the fixture makes it known

    (tmp_path / "logs").mkdir()
    output = tmp_path / "scale.json"
    words = ["--quick", "--output", str(output), "--folder", str(tmp_path / "logs")]
    scale.main([*words, "--threads", "1"])
    result = json.loads(output.read_text())
    assert [int(count) for count in result["interactions"]] == [*scale.QUICK.interactions]
    for interactions, found in result["interactions"].items():
        assert [*found["phases"]] == [*scale.PHASES]
        for phase in found["phases"].values():
            assert phase["seconds"] > 0
            assert phase["resident bytes"] > phase["own bytes"] > 1e7
        # An item and a time of each interaction, in four and eight bytes.
        assert 12 * int(interactions) * 0.9 < found["log bytes"]
    assert output.with_suffix(".png").stat().st_size > 10_000
    assert not [*(tmp_path / "logs").iterdir()]
    assert capsys.readouterr().out.count("\n| ") >= len(scale.PHASES)


def test_a_process_is_measured_phase_by_phase(benchmark: Any) -> None:
    from phases import measured_process  # the fixture makes it known

    code = (
        "import time; from phases import report_phase; held = bytearray(10**8); time.sleep(0.1);"
        "report_phase('full', found=1); del held; report_phase('freed');"
        "time.sleep(0.1); report_phase('empty')"
    )
    folder = Path(__file__).parent / "benchmarks"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {code}"]
    phases = measured_process(command)
    assert phases["full"]["found"] == 1
    assert 1e8 < phases["full"]["own bytes"] < 1.5e8
    assert phases["empty"]["own bytes"] < 5e7


def test_a_process_that_fails_is_told(benchmark: Any) -> None:
    from phases import measured_process  # the fixture makes it known

    with pytest.raises(SystemExit, match="failed"):
        measured_process([sys.executable, "-c", "raise SystemExit(3)"])


def test_numbers_on_axes_are_short(benchmark: Any) -> None:
    from axes import short  # the fixture makes it known

    numbers = [0.01, 0.3, 50.0, 30_000.0, 10_000_000.0]
    assert [short(number) for number in numbers] == ["0.01", "0.3", "50", "30k", "10M"]
