"""What the user is told of a finished export."""

from __future__ import annotations

from tuner.export.bundle import Bundle
from tuner.export.contents import Exported, Pruning


def told(bundle: Bundle, value: float | None) -> str:
    """A line for the model, and one for each format.

    Args:
        value: the trial's on the leaderboard.
    """
    about, formats = bundle.contents.about, bundle.contents.formats
    metric = formats["onnx"].proofs[0].metric
    lines = [f"{bundle.folder}: trial {about.trial}, {metric} {value:.6g} on validation data"]
    if about.pruning is not None:
        lines.append(f"  pruned: {of_pruning(about.pruning)}")
    lines += [f"  {name}: {of_format(exported)}" for name, exported in formats.items()]
    return "\n".join(lines)


def of_format(exported: Exported) -> str:
    """How near it is, how good, how large, and what must be known of it."""
    parts = [
        f"{proof.metric} {proof.export:.6g} on the {proof.rows} {proof.split} rows, the network's "
        f"{proof.network:.6g}, worst difference {proof.difference:.1e}"
        for proof in exported.proofs
    ]
    if exported.lost is not None:
        parts.append(f"lost {exported.lost:.2%}")
    return "; ".join([*parts, f"{kib(exported.bytes)} in {exported.file}", *exported.notes])


def of_pruning(pruning: Pruning) -> str:
    """What it took and cost."""
    return (
        f"{pruning.sparsity:.1%} of the parameters are 0; {pruning.metric} {pruning.before:.6g} → "
        f"{pruning.after:.6g} on the {pruning.split} rows after {pruning.epochs} epochs of "
        f"fine-tuning, lost {pruning.lost:.2%}"
    )


def kib(size: int) -> str:
    """Bytes, to be read."""
    return f"{size / 1024:.1f} KiB"
