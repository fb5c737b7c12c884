"""
Write the ONNX graph that compares float16 vectors of an index with queries.

    python -m train.scan_graph
"""

from __future__ import annotations

from modeling_clac.search.vectors import SCAN_GRAPH

_OPSET, _IR_VERSION = 17, 8  # of onnxruntime 1.14 and later


def scan_graph() -> bytes:
    """Return the graph: `vectors` (n, d) float16 times `queries` (d, q) float32 is `products` (n, q) float32."""
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["vectors"], ["converted"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["converted", "queries"], ["products"]),
        ],
        "scan",
        [
            helper.make_tensor_value_info("vectors", TensorProto.FLOAT16, ["n", "d"]),
            helper.make_tensor_value_info("queries", TensorProto.FLOAT, ["d", "q"]),
        ],
        [helper.make_tensor_value_info("products", TensorProto.FLOAT, ["n", "q"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    return bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    SCAN_GRAPH.write_bytes(scan_graph())
