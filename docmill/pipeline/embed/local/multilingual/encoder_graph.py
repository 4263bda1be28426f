"""multilingual-e5-small as an ONNX graph with int8 weights, from word vectors to token states.

Weights are int8 with a scale an output, activations are quantised as they come (dynamic quantisation). The table of
word vectors stays outside of the graph: it is most of the model, and read a few rows at a time.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from docmill.pipeline.embed.local.multilingual.packed_model import PackedModel

_OPSET, _IR_VERSION = 18, 9
_OWN = "com.microsoft"
_LARGEST = 127


def encoder_graph(packed: PackedModel) -> onnx.ModelProto:
    """The graph: `words` (texts, tokens, width) and `mask` (texts, tokens) in, `last_hidden_state` out."""
    graph = _Graph(packed)
    state = graph.embedded()
    for layer in range(packed.sizes.layers):
        state = graph.layer(state, f"l{layer}.")
    graph.node("Identity", [state], "last_hidden_state")
    return graph.model()


class _Graph:
    """Nodes and constants as they are put together; names of constants are those of the tensors."""

    def __init__(self, packed: PackedModel) -> None:
        self._packed = packed
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def embedded(self) -> str:
        """Words, positions from the text's beginning, and the one type of segment there is, normalised."""
        sizes = self._packed.sizes
        places = self._packed.floats("emb.pos").reshape(-1, sizes.width)[: sizes.positions]
        places = places + self._packed.floats("emb.type")[: sizes.width]
        start, axis = self._constant("start", np.array([0])), self._constant("axis", np.array([0]))
        length = self.node("Shape", ["words"], "length", start=1, end=2)
        place = self.node("Slice", [self._constant("emb.pos", places), start, length, axis], "places")
        return self._normalised(self.node("Add", ["words", place], "embedded"), "emb.ln", "state")

    def layer(self, state: str, layer: str) -> str:
        """Attention and feed-forward (Vaswani et al. 2017), each added to what came in and normalised after it."""
        sizes = self._packed.sizes
        together = self._linear(state, [layer + part for part in "qkv"], layer + "qkv")
        parts = [layer + part for part in ("queries", "keys", "values")]
        self._nodes.append(helper.make_node("Split", [together], parts, axis=-1, num_outputs=3))
        attended = self.node(
            "MultiHeadAttention", [*parts, "", "mask"], layer + "attended", domain=_OWN, num_heads=sizes.heads
        )
        state = self._added(state, self._linear(attended, [layer + "ao"], layer + "ao"), layer + "aln")
        inner = self._linear(state, [layer + "fi"], layer + "fi")
        inner = self.node("Gelu", [inner], layer + "gelu", domain=_OWN)
        return self._added(state, self._linear(inner, [layer + "fo"], layer + "fo"), layer + "oln")

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node; the name of its output."""
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def model(self) -> onnx.ModelProto:
        states: list[str | int | None] = ["texts", "tokens", self._packed.sizes.width]
        graph = helper.make_graph(
            self._nodes,
            "multilingual-e5-small",
            [
                helper.make_tensor_value_info("words", TensorProto.FLOAT, states),
                helper.make_tensor_value_info("mask", TensorProto.INT32, states[:2]),
            ],
            [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, states)],
            self._constants,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_OWN, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _linear(self, state: str, names: list[str], output: str) -> str:
        """One or several linear layers side by side."""
        weights = np.concatenate([self._packed.matrix(f"{name}.w") for name in names])
        biases = np.concatenate([self._packed.floats(f"{name}.b") for name in names])
        scales = np.abs(weights).max(axis=1) / _LARGEST
        rounded = np.round(weights / scales[:, None]).clip(-_LARGEST, _LARGEST).astype(np.int8)
        inputs = [
            state,
            self._constant(f"{output}.w", rounded.T),
            self._constant(f"{output}.scales", scales),
            "",
            self._constant(f"{output}.b", biases),
        ]
        return self.node("DynamicQuantizeMatMul", inputs, output, domain=_OWN)

    def _normalised(self, state: str, norm: str, output: str) -> str:
        weights = [self._constant(f"{norm}.{part}", self._packed.floats(f"{norm}.{part}")) for part in "wb"]
        return self.node("LayerNormalization", [state, *weights], output, epsilon=self._packed.sizes.epsilon)

    def _added(self, state: str, change: str, norm: str) -> str:
        weights = [self._constant(f"{norm}.{part}", self._packed.floats(f"{norm}.{part}")) for part in "wb"]
        epsilon = self._packed.sizes.epsilon
        return self.node(
            "SkipLayerNormalization", [state, change, *weights], f"{norm}.out", domain=_OWN, epsilon=epsilon
        )
