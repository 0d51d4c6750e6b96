"""An ONNX graph that is built operation by operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    import onnx


class Graph:
    """Nodes and constants collected so far; each value gets a name that no target has."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(
        self, operation: str, *inputs: str | Tensor, output: str = "", **attributes: Any
    ) -> str:
        """Add an operation on named values and constants; returns the name of its result."""
        from onnx import helper

        names = [self._constant(one) if isinstance(one, Tensor) else one for one in inputs]
        name = output or f"/{operation}/{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, names, [name], **attributes))
        return name

    def _constant(self, values: Tensor) -> str:
        from onnx import numpy_helper

        name = f"/constant/{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values.detach().cpu().numpy(), name))
        return name
