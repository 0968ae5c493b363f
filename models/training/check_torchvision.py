"""Does a torchvision ResNet, saved under its own names, give the same features as our graph?

    python check_torchvision.py resnet50 PRESET "node dist/pipeline/main.js"

Makes the network with seeded weights and batch-norm statistics that are not trivial, converts it with convert.py, builds PRESET from
it with `maskcast model build` (what is no ResNet comes from a seed) and compares C4 for pictures whose borders matter. No download.
"""

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torchvision

from reference import pictures, run_onnx


def main():
    name, preset, command = sys.argv[1:]
    torch.manual_seed(0)
    net = getattr(torchvision.models, name)(weights=None).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor, low, high in ((module.weight, 0.5, 1.5), (module.bias, -0.3, 0.3)):
                torch.nn.init.uniform_(tensor, low, high)
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 1.5)
    with tempfile.TemporaryDirectory() as folder:
        state, weights, graph = (str(Path(folder) / f) for f in ("net.pth", "net.safetensors", "net.onnx"))
        torch.save(net.state_dict(), state)
        subprocess.run([sys.executable, str(Path(__file__).parent / "convert.py"), state, weights], check=True)
        build = ["model", "build", "--preset", preset, "--weights", weights, "--seed", "1", "--size", "160x224", "--out", graph]
        subprocess.run(shlex.split(command) + build, check=True)
        images = pictures(2, 160, 224)
        got = run_onnx(graph, images)["c4"]
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    x = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    with torch.inference_mode():
        x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        expected = net.layer3(net.layer2(net.layer1(x))).numpy()
    error = np.abs(got - expected).max() / np.abs(expected).max()
    print(f"{name}: C4 {list(got.shape)}, relative error {error:.2e}")
    sys.exit(not error < 1e-4)


if __name__ == "__main__":
    main()
