"""Where records go besides metrics.jsonl."""

from pathlib import Path
from typing import Any

from adversaria.errors import UserError


class TensorBoard:
    """Scalars for TensorBoard in the run folder's `tensorboard/`."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise UserError("TensorBoard is not installed; pip install 'adversaria[tensorboard]'") from None
        self._writer = SummaryWriter(str(folder / "tensorboard"))

    def write(self, record: dict[str, Any]) -> None:
        """One round's or one score's record; verdicts are no numbers."""
        add, number = self._writer.add_scalar, record["round"]
        if record["kind"] == "score" and record["value"] is not None:
            add(f"score/{record['name']}", record["value"], number)
        if record["kind"] != "round":
            return
        for player, terms in record["terms"].items():
            for name, value in terms.items():
                add(f"{player}/{name}", value, number)
        for player, norm in record["gradient_norms"].items():
            add(f"gradient norm/{player}", norm, number)
        add("images per second", record["images_per_second"], number)

    def close(self) -> None:
        """Writes what is left."""
        self._writer.close()
