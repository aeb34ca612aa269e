# SPDX-License-Identifier: Apache-2.0
"""Barlow Twins in PyTorch on one process that sees the global batch: what any number of ranks must equal."""
import math

import torch
import torchvision
from torch import nn


class Reference:
    """Model, LARS and schedule from a run's configuration; parameters carry the names that barlow's files use."""

    def __init__(self, configuration, total_steps, warmup_steps, dtype=torch.float64, autocast=False):
        """@param autocast  the network, not the loss, in bf16 where PyTorch's autocast has it so."""
        self.autocast = autocast
        self.configuration = configuration
        self.total_steps, self.warmup_steps = total_steps, warmup_steps
        self.backbone = self._backbone().to(dtype)
        sizes = [self._features, *map(int, configuration["projector"].split("-"))]
        layers = []
        for before, after in zip(sizes[:-2], sizes[1:-1]):
            layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
        self.projector = nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1], bias=False)).to(dtype)
        self.bn = nn.BatchNorm1d(sizes[-1], affine=False).to(dtype)
        self.model = nn.ModuleDict({"backbone": self.backbone, "projector": self.projector, "bn": self.bn}).train()
        self.momentum = {}
        self.dtype = dtype

    def _backbone(self):
        backbone = getattr(torchvision.models, self.configuration["architecture"])()
        width = int(self.configuration.get("backbone-width", 64))
        if width != 64:
            self._set_width(backbone, width)
        self._features = backbone.fc.in_features * width // 64
        backbone.fc = nn.Identity()
        if self.configuration["stem"] != "imagenet":
            stride = {"small": 1, "tiny": 2}[self.configuration["stem"]]
            backbone.conv1 = nn.Conv2d(3, width, 3, stride, 1, bias=False)
            backbone.maxpool = nn.Identity()
        return backbone

    @staticmethod
    def _set_width(backbone, width):
        """torchvision's constructor knows 64 only; what it makes the stages with does not."""
        backbone.inplanes = width
        backbone.conv1, backbone.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        for stage in range(4):
            name = f"layer{stage + 1}"
            blocks = getattr(backbone, name)
            setattr(backbone, name, backbone._make_layer(type(blocks[0]), width << stage, len(blocks), stride=2 if stage else 1))

    def tensors(self):
        return {name: value for name, value in self.model.state_dict().items()}

    def load(self, tensors):
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                if name in tensors:
                    value.copy_(torch.as_tensor(tensors[name]))

    def rates(self, step):
        c = self.configuration
        base = c["batch-size"] / 256
        if step < self.warmup_steps:
            scale = base * step / self.warmup_steps
        else:
            q = 0.5 * (1 + math.cos(math.pi * (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)))
            scale = base * q + 0.001 * base * (1 - q)
        return scale * c["learning-rate-weights"], scale * c["learning-rate-biases"]

    def forward(self, views):
        """views [2,B,H,W,3] -> (on, off, embeddings [2,B,D]); gradients are left in the parameters, scaled."""
        c = self.configuration
        self.model.zero_grad()
        views = torch.as_tensor(views).to(self.dtype).permute(0, 1, 4, 2, 3).contiguous()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            z1, z2 = (self.projector(self.backbone(view)) for view in views)
        z1, z2 = z1.to(self.dtype), z2.to(self.dtype)
        correlation = self.bn(z1).T @ self.bn(z2) / views.shape[1]
        diagonal = torch.diagonal(correlation)
        on = (1 - diagonal).pow(2).sum()
        off = c["lambd"] * (correlation.pow(2).sum() - diagonal.pow(2).sum())
        ((on + off) / c["reference-world-size"]).backward()
        return on.item(), off.item(), torch.stack([z1, z2]).detach()

    @torch.no_grad()
    def lars_step(self, step):
        c = self.configuration
        rate_weights, rate_biases = self.rates(step)
        for name, p in self.model.named_parameters():
            g = p.grad.clone()
            rate = rate_biases
            if p.ndim > 1:
                rate = rate_weights
                g += c["weight-decay"] * p
                q = c["lars-eta"] * p.norm() / g.norm() if p.norm() > 0 and g.norm() > 0 else torch.tensor(1.0)
                if c["lars-clip"]:
                    q = torch.clamp(q / rate, max=1) if rate > 0 else torch.tensor(1.0)
                g *= q
            m = self.momentum.setdefault(name, torch.zeros_like(p))
            m.mul_(c["momentum"]).add_(g)
            p.sub_(rate * m)
