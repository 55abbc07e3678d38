"""A student beside a discriminator and under a teacher, and the images of one step."""

from typing import get_args

import torch

from datasets.case import Pair
from methods.blocks.cascades.composition import Composition, build
from methods.blocks.cascades.discriminator import build_discriminator
from methods.blocks.cascades.distillation import Aldk, Distillation, Objective
from methods.blocks.cascades.losses import Weights, cascade_losses
from methods.blocks.initial import create
from methods.blocks.training.sampling import Batch

SHAPE = (16, 16, 32)
OBJECTIVES = get_args(Objective)


def network(seed, **params):
    full = {"base": "ldr", "stem": "none", "channels": 4, **params}
    return create(lambda: build(Composition(**full)), seed=seed, device="cpu")


def batch(iteration=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    fixed, moving, plain = torch.rand(3, 2, 1, *SHAPE, generator=generator)
    return Batch(iteration, (Pair("a", "b"),) * 2, fixed, moving, plain, generator)


def losses(result, images):
    return cascade_losses(result, images.fixed, Weights())


def distillation(**options):
    """A student beside a discriminator, under a teacher whose displacement is not small."""
    aldk = Aldk(**{"disc_channels": 4, **options})
    student, teacher = network(1), network(2)
    with torch.no_grad():
        teacher.networks[0].displacement.weight.mul_(1e5)
    critic = create(lambda: build_discriminator(aldk.disc, aldk.disc_output, 4), seed=3, device="cpu")
    optimisers = {
        "model": torch.optim.Adam(student.parameters(), lr=1e-3),
        "discriminator": torch.optim.Adam(critic.parameters(), lr=1e-3),
    }
    return Distillation(aldk, 100, student, teacher.requires_grad_(False), critic, optimisers, losses)


def state(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def changed(module, before):
    return [name for name, tensor in module.state_dict().items() if not torch.equal(tensor, before[name])]
