"""What the processor can compute; without torch, so that a configuration can be checked before anything starts."""

from __future__ import annotations

from pathlib import Path

CPU = Path("/proc/cpuinfo")
BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})  # of x86, and of Arm


def lacks_bfloat16(device: str) -> str:
    """Return why ``precision: mixed`` cannot be had on a device, empty where it can; of a GPU only torch can tell."""
    if device != "cpu":
        return ""
    try:
        lines = CPU.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"{CPU} does not say what this CPU has ({error.strerror})"
    flags = {flag for line in lines if line.lower().startswith(("flags", "features")) for flag in line.split()}
    return "" if flags & BFLOAT16 else f"this CPU has no bfloat16 in hardware (none of {', '.join(sorted(BFLOAT16))})"


def is_mixed(precision: str, device: str) -> bool:
    """Return whether convolutions run in bfloat16: where ``mixed`` is asked for, with ``auto`` on CUDA alone.

    Raises ValueError where it is asked for and the device has no bfloat16.
    """
    cuda = device.startswith("cuda")
    if precision == "mixed":
        why = lacks_bfloat16(device)
        if cuda:
            import torch

            if torch.cuda.is_available() and not torch.cuda.is_bf16_supported(including_emulation=False):
                why = "this GPU has no bfloat16"
        if why:
            raise ValueError(f"precision: mixed cannot be had here ({why}); write `precision: float32`")
    return precision == "mixed" or (precision == "auto" and cuda)
