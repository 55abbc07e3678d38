"""Networks written apart from `methods`, as plainly as a reader of the papers would: the peers of ``make bench``.

Layers of `torch.nn` in their default memory order, `F.pad` for 'SAME' padding, `F.grid_sample` for warps. They take the
weights of ours (`weights`) and have to give the same numbers.
"""
