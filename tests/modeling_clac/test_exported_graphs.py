"""Both towers as graphs of `torch.export` and ONNX, for other numbers of texts, tokens, crystals, atoms and edges."""

from __future__ import annotations

import warnings

import onnxruntime
import pytest
import torch

from modeling_clac import ClacConfig, ClacFeatureExtractor, ClacModel
from modeling_clac.configuration_clac import SHARED_FACTS
from tests.conftest import small_graph_config

READOUTS = dict.fromkeys(("geometry_readout", "composition_readout", "symmetry_readout", "pattern_readout"), True)
OF_TEXTS = ("input_ids", "attention_mask", "token_kinds", "token_values")


class Tower(torch.nn.Module):
    """One tower of a model, called with keywords."""

    def __init__(self, model: ClacModel, name: str):
        super().__init__()
        self.model, self.name = model, name

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return getattr(self.model, self.name)(**inputs).pooler_output


@pytest.mark.parametrize("tower", ["get_text_features", "get_crystal_features"])
@pytest.mark.parametrize("encoder", ["painn", "cgcnn"])
def test_sizes_of_exported_towers_are_free(
    bert_config, small_processor, cifs, structure_nacl, structure_po, tower, encoder
) -> None:
    torch.manual_seed(0)
    graph_config = small_graph_config(encoder, **READOUTS)
    kept = {"projection_dim": 24, "token_values": True, **dict.fromkeys(SHARED_FACTS, True)}
    model = Tower(ClacModel(ClacConfig(text_config=bert_config, graph_config=graph_config, **kept)).eval(), tower)
    dim = torch.export.Dim
    if tower == "get_text_features":
        texts = (["Li2O, 2.01 g/cm3", "a cathode"], ["NaCl", "a much longer text about rock salt", "gap of 5.1 eV"])
        batches = [{name: small_processor(text=text)[name] for name in OF_TEXTS} for text in texts]
        rows, tokens = dim("texts", min=2), dim("tokens", min=2, max=128)
        shapes = {name: {0: rows, 1: tokens} for name in OF_TEXTS}
    else:
        extractor = ClacFeatureExtractor.from_graph_config(graph_config)
        # In cubic crystals, the biaxiality is 0/0 but for a tiny constant, and the vectors of PaiNN are zero.
        batches = [dict(extractor(cifs[:3])), dict(extractor([structure_nacl, structure_po, *cifs[3:8]]))]
        atoms, edges, crystals = dim("atoms", min=2), dim("edges", min=2), dim("crystals", min=2)
        shapes = {name: {0: crystals} for name in batches[0]}
        shapes |= {"atomic_numbers": {0: atoms}, "batch": {0: atoms}}
        shapes |= {"edge_index": {1: edges}, "edge_vector": {0: edges}}
    program = torch.export.export(model, (batches[0],), dynamic_shapes=(shapes,), strict=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        onnx = torch.onnx.export(program, dynamo=True, verbose=False)
    assert onnx is not None
    options = onnxruntime.SessionOptions()
    # With several threads, onnxruntime adds to the same place of a tensor without a lock (ScatterND, reduction "add").
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx.model_proto.SerializeToString(), options)
    for batch in batches:
        named = {node.name: batch[node.name.removeprefix("inputs_")].numpy() for node in session.get_inputs()}
        with torch.no_grad():
            expected = model(batch)
            torch.testing.assert_close(program.module()(batch), expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(torch.tensor(session.run(None, named)[0]), expected, rtol=1e-5, atol=1e-5)
