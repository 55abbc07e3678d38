"""Methods called with plain keywords: each is a field of the module's ``Params`` or ``Training``."""

from dataclasses import fields


def load(module, *, device="cpu", seed=0, checkpoint=None, **options):
    return module.load(module.Params(**options), device=device, seed=seed, checkpoint=checkpoint)


def cost(module, shape, **options):
    return module.cost(shape, module.Params(**options))


def train(module, data, folder, *, device="cpu", seed=0, teacher=None, watch=None, **options):
    names = {field.name for field in fields(module.Training)}  # precision is an option of both: here, training's
    chosen = module.Params(**{name: value for name, value in options.items() if name not in names})
    training = module.Training(**{name: value for name, value in options.items() if name in names})
    others = {name: value for name, value in (("teacher", teacher), ("watch", watch)) if value is not None}
    return module.train(data, folder, chosen, training, device=device, seed=seed, **others)
