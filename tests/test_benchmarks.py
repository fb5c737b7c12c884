"""The benchmarks at a tiny size: what they report, not how fast anything is; and the literal PaiNN as an oracle."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import small_graph_config
from painn_reference import edge_wise_painn

from evaluation.benchmarks import embedding_throughput, graph_construction, painn_speed, pretraining_step
from evaluation.benchmarks.process_scaling import ScalingArguments
from evaluation.benchmarks.process_scaling import run as run_scaling
from modeling_clac import ClacFeatureExtractor
from modeling_clac.graph_encoders_clac import PaiNN
from modeling_clac.structures_clac import ClacInputError


@pytest.fixture(autouse=True)
def threads():
    """Benchmarks choose their number of threads for the process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_painn_equals_the_equations_written_edge_by_edge(cifs) -> None:
    torch.manual_seed(0)
    painn = PaiNN(small_graph_config()).double()
    graph = ClacFeatureExtractor(5.0, 12)(cifs[:6])
    inputs = graph["atomic_numbers"], graph["edge_index"], graph["edge_vector"].double()
    results = []
    for way in (painn, lambda *x: edge_wise_painn(painn, *x)):
        painn.zero_grad()
        features = way(*inputs)
        (features**3).sum().backward()
        results.append((features.detach(), {name: p.grad.clone() for name, p in painn.named_parameters()}))
    (features, gradients), (expected, expected_gradients) = results
    # Distances and basis are computed in single precision.
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-5)
    for name, gradient in gradients.items():
        scale = float(expected_gradients[name].abs().max())
        torch.testing.assert_close(gradient, expected_gradients[name], rtol=1e-3, atol=1e-4 * scale, msg=name)


def test_graph_construction() -> None:
    arguments = graph_construction.GraphArguments(limit=16, alternative=8, repeats=1)
    result = graph_construction.run(arguments)
    assert result.keys() == {
        "cif", "arrays", "cif_compared", "pymatgen", "ase", "over_pymatgen", "over_ase", "same_edges",
    }  # fmt: skip
    assert result["same_edges"] == 1.0
    assert all(np.isfinite(value) and value > 0 for value in result.values())


def test_alternatives_build_the_same_graphs(structure_perovskite) -> None:
    """No two of its distances are equal, so the cap cuts alike."""
    from evaluation.benchmarks.alternatives import ase_graph, pymatgen_graph

    ours = ClacFeatureExtractor(5.0, 12).graph(structure_perovskite)
    for graph in (
        pymatgen_graph(structure_perovskite, 5.0, 12),
        ase_graph(structure_perovskite.to_ase_atoms(), 5.0, 12),
    ):
        assert graph.keys() <= ours.keys()
        assert np.array_equal(np.bincount(graph["edge_index"][1]), np.bincount(ours["edge_index"][1]))
        for part in ((graph, ours),):
            lengths = [np.sort(np.linalg.norm(g["edge_vector"], axis=1)) for g in part]
            np.testing.assert_allclose(*lengths, atol=1e-5)
        assert graph["density"] == pytest.approx(float(ours["density"]), rel=1e-3)
        assert graph["volume_per_atom"] == pytest.approx(float(ours["volume_per_atom"]), rel=1e-5)


def test_painn_speed() -> None:
    arguments = painn_speed.PaiNNArguments(crystals=4, hidden_size=16, num_interactions=2, repeats=1)
    result = painn_speed.run(arguments)
    assert result.keys() == {"clac", "edge_wise", "ratio", "difference"}
    assert result["difference"] < 1e-3


def test_pretraining_step(capsys) -> None:
    result = pretraining_step.run(pretraining_step.StepArguments(batch_size=4, steps=1, operators=3))
    assert result.keys() == {"data", "step", "graph", "text", "pairs_per_second", "graph_and_data"}
    assert 0 < result["graph_and_data"] < 1
    assert "torch.profiler" in capsys.readouterr().out


def test_process_scaling() -> None:
    result = run_scaling(ScalingArguments(batch_size=2, steps=1, repeats=1))
    assert result.keys() == {"one", "two", "ratio"} and all(value > 0 for value in result.values())


def test_embedding_throughput(capsys) -> None:
    embedding_throughput.run(embedding_throughput.ThroughputArguments(limit=8, alternative=4, repeats=1))
    assert "times as fast as pymatgen" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (graph_construction, graph_construction.GraphArguments(repeats=0)),
        (painn_speed, painn_speed.PaiNNArguments(crystals=0)),
        (pretraining_step, pretraining_step.StepArguments(steps=0)),
    ],
)
def test_nothing_to_measure(module, arguments) -> None:
    with pytest.raises(ClacInputError, match="must be at least 1"):
        module.run(arguments)


def test_failing_processes_are_one_line() -> None:
    with pytest.raises(ClacInputError, match="process"):
        run_scaling(ScalingArguments(model="/nowhere", batch_size=2, steps=1, repeats=1))
