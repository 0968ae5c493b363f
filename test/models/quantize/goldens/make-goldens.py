"""Makes the goldens beside it with ONNX Runtime's own quantiser and with NumPy in float64; run from this folder:

    python -m venv v && v/bin/pip install numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 sympy && v/bin/python make-goldens.py

net.onnx: four convolutions, a residual sum; one channel whose largest weight had better be cut, one of zeros.
expected.json: of `onnxruntime.quantization.quantize_static` (QOperator, uint8 activations from MinMax, int8 weights for each
channel, reduce_range: within 64) scales, zero points, weights and biases, and the error of its graph; of NumPy the scale of least
squared error among the shares that models/quantize/weight-scale.ts tries, and the least error that any cut of the activations has.
"""

import json
import os
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

CALIBRATION, TEST = 6, 4
rng = np.random.default_rng(18)


def picture(n):
    """The same formula stands in goldens.test.ts."""
    i = np.arange(3 * 16 * 16, dtype=np.int64)
    return (((i * (37 + 2 * n) + n * 11) % 101) / 50 - 0.9).astype(np.float32).reshape(1, 3, 16, 16)


def layer(name, out, channels, side):
    weight = rng.uniform(-1, 1, (out, channels, side, side)) * np.sqrt(3 / (channels * side * side))
    if name == "second":
        # Whole steps but for the largest, which 0.95 of the scale would cut: the many are exact then.
        weight[2] = rng.integers(-60, 61, weight[2].shape) * 0.003
        weight[2, 0, 0, 0] = 0.003 * 64 / 0.95
        weight[5] = 0
        weight[1] = rng.standard_normal(weight[1].shape) * 0.1
    return (
        numpy_helper.from_array(weight.astype(np.float32), f"{name}.weight"),
        numpy_helper.from_array(rng.uniform(-0.3, 0.3, out).astype(np.float32), f"{name}.bias"),
    )


def conv(name, source, result, side, stride=1):
    pad = side // 2
    return helper.make_node(
        "Conv",
        [source, f"{name}.weight", f"{name}.bias"],
        [result],
        name=name,
        kernel_shape=[side, side],
        pads=[pad] * 4,
        strides=[stride, stride],
    )


nodes = [
    conv("first", "x", "a", 3),
    helper.make_node("Relu", ["a"], ["b"], name="relu-1"),
    conv("second", "b", "c", 3),
    helper.make_node("Add", ["b", "c"], ["d"], name="sum"),
    helper.make_node("Relu", ["d"], ["e"], name="relu-2"),
    conv("third", "e", "f", 3, 2),
    helper.make_node("Relu", ["f"], ["g"], name="relu-3"),
    conv("fourth", "g", "y", 1),
]
shapes = [("first", 24, 3, 3), ("second", 24, 24, 3), ("third", 8, 24, 3), ("fourth", 6, 8, 1)]
graph = helper.make_graph(
    nodes,
    "net",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 16, 16])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 6, 8, 8])],
    [tensor for shape in shapes for tensor in layer(*shape)],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
# Inner shapes, as our own files state them.
model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
onnx.checker.check_model(model)
onnx.save(model, "net.onnx")


class Pictures(CalibrationDataReader):
    def __init__(self):
        self.left = iter([{"x": picture(n)} for n in range(CALIBRATION)])

    def get_next(self):
        return next(self.left, None)


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "int8.onnx")
    quantize_static(
        "net.onnx",
        path,
        Pictures(),
        quant_format=QuantFormat.QOperator,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        calibrate_method=CalibrationMethod.MinMax,
    )
    int8 = onnx.load(path)
    quantised = ort.InferenceSession(path, providers=["CPUExecutionProvider"])

constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in int8.graph.initializer}
layers = {}
for node in int8.graph.node:
    if node.op_type != "QLinearConv":
        continue
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias = (constants.get(name) for name in node.input)
    name = node.input[3].split(".")[0]
    layers[name] = {
        "input": {"scale": float(x_scale), "zero": int(x_zero)},
        "output": {"scale": float(y_scale), "zero": int(y_zero)},
        "scales": [float(s) for s in w_scale],
        "weights": w.reshape(-1).tolist(),
        "bias": bias.tolist(),
    }


def all_values():
    """Every value of the float graph on the calibration pictures."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    for name in "bceg":
        wide.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = ort.InferenceSession(wide.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    runs = [session.run(names, {"x": picture(n)}) for n in range(CALIBRATION)]
    values = {name: np.concatenate([run[i].reshape(-1) for run in runs]) for i, name in enumerate(names)}
    return values | {"x": np.concatenate([picture(n).reshape(-1) for n in range(CALIBRATION)])}


def error_of(values, low, high):
    """Mean squared error of eight bits over a range."""
    scale = (high - low) / 255
    zero = np.clip(np.rint(-low / scale), 0, 255)
    steps = np.clip(np.rint(values / scale) + zero, 0, 255)
    return float(np.mean(((steps - zero) * scale - values) ** 2))


activations = {}
for name, values in all_values().items():
    values = values.astype(np.float64)
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    shares = np.arange(0.1, 1.0001, 0.01)
    lows = low * shares if low < 0 else [0.0]
    activations[name] = {
        "low": low,
        "high": high,
        "whole": error_of(values, low, high),
        "least": min(error_of(values, lo, hi) for lo in lows for hi in high * shares),
    }

least_squares = {}
for name, *_ in shapes:
    weights = numpy_helper.to_array(next(t for t in graph.initializer if t.name == f"{name}.weight")).astype(np.float64)
    scales = []
    for row in weights.reshape(len(weights), -1):
        largest = np.abs(row).max() or 1.0
        errors = []
        for i in range(8):
            scale = np.float64(np.float32(largest / 64 * (1 - i * 0.05)))
            steps = np.clip(np.floor(row / scale + 0.5), -64, 64)
            errors.append((np.sum((steps * scale - row) ** 2), scale))
        scales.append(float(min(errors, key=lambda one: one[0])[1]))
    least_squares[name] = scales

plain = ort.InferenceSession("net.onnx", providers=["CPUExecutionProvider"])
tests = [picture(n) for n in range(CALIBRATION, CALIBRATION + TEST)]
expected = np.concatenate([plain.run(None, {"x": one})[0].reshape(-1) for one in tests])
found = np.concatenate([quantised.run(None, {"x": one})[0].reshape(-1) for one in tests])
answer = {
    "made": f"onnxruntime {ort.__version__}, onnx {onnx.__version__}, numpy {np.__version__}",
    "calibration": CALIBRATION,
    "test": TEST,
    "layers": layers,
    "activations": activations,
    "leastSquares": least_squares,
    "error": float(np.linalg.norm(found - expected) / np.linalg.norm(expected)),
    "first": expected[:8].tolist(),
}
with open("expected.json", "w") as out:
    out.write(json.dumps(answer, separators=(",", ":")) + "\n")
