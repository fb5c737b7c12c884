"""Numbers and formulas of texts: how they are found, and how the text tower uses them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Lattice, Structure
from transformers import BertConfig

from modeling_clac import ClacConfig, ClacModel, ClacProcessor
from modeling_clac.configuration_clac import SHARED_FACTS
from modeling_clac.formula_words_clac import ACRONYMS, NOT_COMPOUNDS
from modeling_clac.formulas_clac import ELEMENTS
from modeling_clac.narrator.applications import with_uses
from modeling_clac.narrator.narratives import narrate
from modeling_clac.quantities_clac import (
    DENSITY,
    NOTHING,
    NUMBER,
    find_quantities,
    read_quantities,
)
from modeling_clac.quantity_embedding_clac import QuantityEmbedding, number_waves, text_composition, text_density
from tests.conftest import small_graph_config
from train.pretraining.initial_model import add_inputs


def formulas(text: str) -> dict[str, float]:
    return {ELEMENTS[kind - 1]: value for *_, kind, value in find_quantities(text) if kind < NUMBER}


def numbers(text: str) -> list[float]:
    return [value for *_, kind, value in find_quantities(text) if kind >= NUMBER]


@pytest.mark.parametrize(
    "formula",
    ["LiFePO4", "Ba(Ti2O3)4", "K0.5Na0.5NbO3", "(Sr0.9Ca0.1)TiO3", "Ca3(PO4)2", "Si", "K2Cu[Co(NO2)6]", "Al", "NaCl"],
)
def test_fractions_agree_with_pymatgen(formula: str) -> None:
    expected = Composition(formula.replace("[", "(").replace("]", ")")).fractional_composition.as_dict()
    for text in (formula, f"a crystal of {formula}.", f"the oxide ({formula}), hard", f"{formula}: a solid"):
        assert formulas(text) == pytest.approx(expected)
        assert numbers(text) == []


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(ELEMENTS), st.integers(1, 30), min_size=2, max_size=5),
    st.sampled_from(["{}", "It is {}.", "a cubic phase, {}; 4 atoms"]),
)
def test_any_formula(amounts: dict[str, int], text: str) -> None:
    formula = "".join(f"{symbol}{amount if amount > 1 else ''}" for symbol, amount in amounts.items())
    # Words in capitals and their plurals (UV, SIO2, ICs) have rules of their own, see `formula_words_clac`, and LiFePo4
    # is a phosphate, see `lost_capitals_clac`.
    words = formula.removesuffix("s").isupper() or formula in ACRONYMS or formula in NOT_COMPOUNDS
    if words or amounts.get("Po") in (3, 4):
        return
    assert formulas(text.format(formula)) == pytest.approx(Composition(formula).fractional_composition.as_dict())


@pytest.mark.parametrize(
    "text",
    ["In cubic symmetry, As seen, UV detectors", "space group Fm-3m, P2_1/c, C2, I4, Cm, P6_3/mmc",
     "83 GPa at 300 K and 5 V", "No solid. I", "HCP and BCC metals", "Pnma, Cmcm, Pbca"],
)  # fmt: skip
def test_words_and_space_groups_are_not_formulas(text: str) -> None:
    assert formulas(text) == {}


@pytest.mark.parametrize("text", ["Na0-xCl0-x", "Fe0-δO0-δ with vacancies"])
def test_a_formula_of_no_atoms_states_no_fractions(text: str) -> None:
    assert formulas(text) == {}


@pytest.mark.parametrize("word", ["In", "C", "W"])
def test_a_single_element_is_a_formula(word: str) -> None:
    assert formulas(f" {word} ") == {word: 1.0}


def test_a_symbol_before_a_crystal_system_is_an_element() -> None:
    assert formulas("Be, hexagonal") == {"Be": 1.0} and formulas("U, orthorhombic phase") == {"U": 1.0}
    assert formulas("In cubic") == formulas("In, for example, cubic") == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("density 4.03 g/cm³.", [4.03]),
        ("between 10-20 GPa", [10, 20]),
        ("-3.4e2, −0.5 and 1,024 sites", [-340, -0.5, 1024]),
        ("no. 225 (166); 7.", [225, 166, 7]),
        ("Fm-3m P6_3/mmc mp-149 H2O 2D v1.2.3", []),
    ],
)
def test_numbers(text: str, expected: list[float]) -> None:
    assert numbers(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("density 4.03 g/cm³.", [4.03]),
        ("ρ = 4.03 g/cm3, 12 sites", [4.03]),
        ("4.03 g cm^-3 and 22.6 g·cm⁻³", [4.03, 22.6]),
        ("4.0 g/cc, 5 g/cm^{3}", [4.0, 5.0]),
        ("above 4.03 g/cm³", []),
        ("4-5 g/cm³, > 3 g/cm³, between 2 and 3 g/cm³, 7 g/cm³ or more", []),
        ("4.03 g of NaCl, 5 GPa, 40 g/cm³, 0 g/cm³, 3 g/cm", []),
    ],
)
def test_densities(text: str, expected: list[float]) -> None:
    assert [value for *_, kind, value in find_quantities(text) if kind == DENSITY] == expected


def test_narratives_state_their_own_density(records) -> None:
    stated = 0
    for record in with_uses(records):
        text = narrate(record, seed=1)
        found = [value for *_, kind, value in find_quantities(text) if kind == DENSITY]
        assert found == pytest.approx([record["density"]] * len(found), rel=0.03)
        stated += bool(found)
    assert stated >= 0.9 * len(records)


def test_narratives_name_their_own_composition_only(records) -> None:
    unread = 0
    for record in with_uses(records):
        expected = Composition(record["formula"]).fractional_composition.as_dict()
        found = formulas(narrate(record, seed=1))
        assert not found or found == pytest.approx(expected)
        unread += not found
        assert formulas(narrate(record, seed=1, mask_formula=True)) == {}
    assert unread <= 0.01 * len(records)


def test_tokens_carry_values(bert_tokenizer) -> None:
    """Each letter and digit is a token here: a symbol is marked on its first token, a number on all of them."""
    text = "Li2O has 4.5"
    encoded = bert_tokenizer(text, return_offsets_mapping=True)
    kinds, values = read_quantities(find_quantities(text), encoded["offset_mapping"])
    tokens = bert_tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    marked = [(token, kind, value) for token, kind, value in zip(tokens, kinds, values.round(3), strict=True) if kind]
    pieces = [("l", 3, 0.667), ("##o", 8, 0.333), ("4", NUMBER, 4.5), (".", NUMBER, 4.5), ("5", NUMBER, 4.5)]
    assert marked == [(token, kind, pytest.approx(value)) for token, kind, value in pieces]
    assert kinds[0] == kinds[-1] == NOTHING


def test_waves_distinguish_numbers() -> None:
    waves = number_waves(torch.tensor([0.0, 1e-6, 4.03, 4.07, -4.03, 225.0, 227.0])).numpy()
    distance = np.linalg.norm(waves[:, None] - waves[None], axis=-1)
    assert distance[0, 1] < 0.2
    assert distance[2, 3] > 0.2 and distance[5, 6] > 0.2
    assert distance[2, 4] > 1.0
    assert number_waves(torch.tensor([1e30, -1e30])).isfinite().all()


@pytest.mark.parametrize("side", ["right", "left"])
def test_padding(small_processor: ClacProcessor, side: str) -> None:
    tokenizer = small_processor.tokenizer
    tokenizer.padding_side, before = side, tokenizer.padding_side
    try:
        batch = small_processor(text=["NaCl, 2.1 eV and more", "SiC"], padding="max_length", max_length=40)
    finally:
        tokenizer.padding_side = before
    assert batch["token_kinds"].shape == batch["token_values"].shape == batch["input_ids"].shape == (2, 40)
    assert (batch["token_kinds"][batch["attention_mask"] == 0] == NOTHING).all()
    assert text_composition(batch["token_kinds"], batch["token_values"])[1, [6, 14]].tolist() == [0.5, 0.5]


def test_text_composition_is_the_mean_over_formulas(small_processor: ClacProcessor) -> None:
    batch = small_processor(text=["NaCl on SiC", "no formula", "TiO2"])
    fractions = text_composition(batch["token_kinds"], batch["token_values"])
    assert fractions[0, [11, 17, 14, 6]].tolist() == pytest.approx([0.25] * 4)
    assert fractions[1].abs().sum() == 0
    assert fractions[2, [22, 8]].tolist() == pytest.approx([1 / 3, 2 / 3])


def test_embedding_equals_its_equation() -> None:
    torch.manual_seed(0)
    layer = QuantityEmbedding(8)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    kinds, values = torch.tensor([[NOTHING, 8, NUMBER]]), torch.tensor([[7.0, 0.25, -4.03]])
    nothing, element, number = layer(kinds, values)[0]
    assert nothing.abs().sum() == 0
    torch.testing.assert_close(
        element, layer.kind.weight[8] + 0.25 * layer.fraction.weight[8] + 0.5 * layer.root.weight[8]
    )
    u = math.copysign(math.asinh(4.03 / 0.001) / math.log(10), -1)
    phases = torch.tensor([2 * math.pi * u / 2.0**power for power in range(4, -5, -1)])
    expected = layer.kind.weight[NUMBER] + layer.number.weight @ torch.cat([phases.sin(), phases.cos()])
    torch.testing.assert_close(number, expected, rtol=1e-4, atol=1e-4)


def test_shares_outside_of_their_range_count_as_its_ends() -> None:
    torch.manual_seed(0)
    layer = QuantityEmbedding(4)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    none, all_of_it = layer(torch.tensor([[8, 8]]), torch.tensor([[-0.5, 3.0]]))[0]
    torch.testing.assert_close(none, layer.kind.weight[8])
    whole = layer.kind.weight[8] + layer.fraction.weight[8] + layer.root.weight[8]
    torch.testing.assert_close(all_of_it, whole)
    # A density is a number.
    density, number = layer(torch.tensor([[DENSITY, NUMBER]]), torch.tensor([[5.0, 5.0]]))[0]
    torch.testing.assert_close(density - layer.kind.weight[DENSITY], number - layer.kind.weight[NUMBER])
    assert (
        density.dtype == torch.float32 and layer.half()(torch.tensor([[8]]), torch.tensor([[0.5]])).dtype == torch.half
    )


def test_a_fresh_embedding_is_marked_to_start_at_zero() -> None:
    layer = QuantityEmbedding(8)
    parts = (layer.kind, layer.fraction, layer.root, layer.number, layer.pooled)
    assert all(part.starts_at_zero is True for part in parts)
    assert [tuple(part.weight.shape) for part in parts] == [(121, 8)] * 3 + [(8, 18), (8, 8)]
    assert layer.number.bias is None and layer.pooled.bias is None


def test_the_mean_of_the_numbers_is_pooled() -> None:
    torch.manual_seed(0)
    layer = QuantityEmbedding(4)
    torch.nn.init.normal_(layer.pooled.weight)
    hidden = torch.randn(3, 4, 4)
    kinds = torch.tensor([[NOTHING, NUMBER, 8, DENSITY], [NOTHING, 8, 118, 1], [NUMBER, 0, 0, 0]])
    means = torch.stack([(hidden[0, 1] + hidden[0, 3]) / 2, torch.zeros(4), hidden[2, 0]])
    torch.testing.assert_close(layer.pool(hidden, kinds), means @ layer.pooled.weight.T)


def test_composition_and_density_of_a_text() -> None:
    kinds = torch.tensor([[8, NUMBER, 22, DENSITY, DENSITY], [1, 118, NOTHING, NUMBER, 8], [0, 0, DENSITY, 0, 0]])
    values = torch.tensor([[0.6, 7.0, 0.4, 4.0, 5.0], [0.5, 0.5, 9.0, 3.0, 1.0], [0.0, 0.0, 2.5, 0.0, 0.0]])
    fractions = text_composition(kinds, values)
    assert fractions.shape == (3, 119)
    expected = torch.zeros(3, 119)
    expected[0, 8], expected[0, 22] = 0.6, 0.4
    expected[1, 1] = expected[1, 118] = 0.25
    expected[1, 8] = 0.5
    torch.testing.assert_close(fractions, expected)
    assert text_density(kinds, values).tolist() == [4.5, 0.0, 2.5]
    # The first part of a formula that was cut off stands for the whole.
    assert text_composition(torch.tensor([[8]]), torch.tensor([[0.1]]))[0, 8] == 1.0


@pytest.fixture
def reader(bert_config: BertConfig) -> ClacModel:
    torch.manual_seed(0)
    options = {"projection_dim": 24, "token_values": True, **dict.fromkeys(SHARED_FACTS, True)}
    model = ClacModel(ClacConfig(text_config=bert_config, graph_config=small_graph_config(), **options)).eval()
    for parameter in model.text_values.parameters():
        torch.nn.init.normal_(parameter)
    return model


def test_embeddings_depend_on_the_values_of_tokens(reader: ClacModel, small_processor: ClacProcessor) -> None:
    """The same tokens with other values get another embedding; padding changes nothing."""
    inputs = small_processor(text=["NaCl, 2.1 eV", "a much longer text about SiC with 3.2 eV"])
    embeds = reader.get_text_features(**inputs).pooler_output
    alone = reader.get_text_features(**small_processor(text=["NaCl, 2.1 eV"])).pooler_output
    torch.testing.assert_close(embeds[:1], alone, rtol=1e-5, atol=1e-5)
    other = {**inputs, "token_values": inputs["token_values"] * 1.5}
    assert (reader.get_text_features(**other).pooler_output - embeds).abs().max() > 1e-3


def test_missing_token_kinds_are_an_error(reader: ClacModel, small_processor: ClacProcessor) -> None:
    inputs = small_processor(text=["NaCl"])
    del inputs["token_kinds"]
    with pytest.raises(ValueError, match="token_kinds"):
        reader.get_text_features(**inputs)


@pytest.mark.parametrize("fact", ["composition", "stoichiometry"])
def test_shared_composition(reader: ClacModel, small_processor: ClacProcessor, structure_nacl, fact: str) -> None:
    """A crystal and its formula get the same vector, other crystals another one, and texts without a formula none."""
    shared = {name: getattr(reader, name) for name in SHARED_FACTS}
    gain = shared.pop(f"shared_{fact}").log_gain
    other = Structure(structure_nacl.lattice, ["Mg"] * 4 + ["O"] * 4, structure_nacl.frac_coords)
    texts = ["NaCl", "a crystal of NaCl", "rock salt", "MgO"]
    inputs = small_processor(text=texts, structures=[structure_nacl, other])
    with torch.no_grad():
        for silent in shared.values():
            silent.log_gain.fill_(-40.0)
        gain.fill_(12.0)  # dominates everything else
        output = reader(**inputs)
        cosine = output.text_embeds @ output.crystal_embeds.T
        torch.testing.assert_close(cosine[[0, 1, 3], [0, 0, 1]], torch.ones(3))
        assert cosine[0, 1] < 0.9 and cosine[3, 0] < 0.9
        gain.fill_(-40.0)
        torch.testing.assert_close(reader(**inputs).text_embeds[2], output.text_embeds[2])


def test_shared_density(reader: ClacModel, small_processor: ClacProcessor, structure_nacl) -> None:
    """A crystal and its stated density get the same vector; densities that differ by three per cent are separated."""
    wider = Structure(
        Lattice.cubic(structure_nacl.lattice.a * 1.01), structure_nacl.species, structure_nacl.frac_coords
    )
    structures = [structure_nacl, wider]
    texts = [*(f"a density of {float(s.density):.3f} g/cm³" for s in structures), "dense", "above 2 g/cm³"]
    inputs = small_processor(text=texts, structures=structures)
    with torch.no_grad():
        reader.shared_density.log_gain.fill_(12.0)  # dominates everything else
        output = reader(**inputs)
        cosine = output.text_embeds @ output.crystal_embeds.T
        torch.testing.assert_close(cosine.diagonal(), torch.ones(2), atol=1e-3, rtol=0)
        assert cosine[0, 1] < 0.99 and cosine[1, 0] < 0.99
        reader.shared_density.log_gain.fill_(-40.0)
        torch.testing.assert_close(reader(**inputs).text_embeds[2:], output.text_embeds[2:])
    del inputs["density"]
    with pytest.raises(ValueError, match="density"):
        reader(**inputs)


def test_stoichiometry_distinguishes_amounts(reader: ClacModel, small_processor: ClacProcessor) -> None:
    """Other amounts and other elements give another direction; the vector depends only on the atomic fractions."""
    inputs = small_processor(text=["HfCo", "HfCo2", "Hf2Co", "ZrCo", "Co2Hf", "Hf2Co4"])
    with torch.no_grad():
        fractions = text_composition(inputs["token_kinds"], inputs["token_values"])
        layer = reader.shared_stoichiometry
        added = layer.add(torch.zeros(6, 24), layer.readout(fractions), torch.ones(6, dtype=torch.bool))
    cosine = added @ added.T
    assert (cosine[:4, :4] - torch.eye(4)).max() < 0.9
    torch.testing.assert_close(added[[4, 5]], added[[1, 1]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("flag", SHARED_FACTS)
def test_shared_facts_need_token_values(bert_config: BertConfig, flag: str) -> None:
    with pytest.raises(ValueError, match="need token_values"):
        ClacConfig(text_config=bert_config, **{flag: True})


@pytest.mark.parametrize("added", [{"composition_readout": True}, {"token_values": True}])
def test_added_inputs_do_not_change_embeddings(small_model, small_processor, cifs, added) -> None:
    inputs = small_processor(text=["NaCl, 2.1 eV", "oxide"], structures=cifs[:2])
    wider = add_inputs(small_model, **added).eval()
    before, after = small_model(**inputs), wider(**inputs)
    torch.testing.assert_close(after.text_embeds, before.text_embeds)
    torch.testing.assert_close(after.crystal_embeds, before.crystal_embeds)
    after.logits_per_text.sum().backward()
    fresh = wider.text_values.number if "token_values" in added else wider.crystal_projection.shortcut
    assert fresh.weight.grad.abs().sum() > 0
