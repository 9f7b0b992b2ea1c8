"""SpliceAI: 32 states and the logarithms of three chances of each of up to five networks, by base.

The chances are those of no splice site, of an acceptor (the first base of an exon) and of a donor
(the last one). `pooling: site` describes one base of each sequence, in the middle or where `site`
says. What lies around a sequence is its own letters, then `flanks`, then N: a window of 10,001
bases from a genome has all the context that the networks see. The weights come out of a PyPI wheel
that is read, never imported; Illumina gives them under CC BY-NC 4.0.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bioloom.embedders import BASES, States, normalise_dna
from bioloom.embedders._untrained import UNTRAINED, untrained
from bioloom.errors import DataError
from bioloom.files import sha256
from bioloom.options import Option

if TYPE_CHECKING:
    import torch

    from bioloom.embedders._spliceai import Network, Reference

OPTIONS = {
    "networks": Option(5, minimum=1, maximum=5, type=int, about="how many of the five"),
    "pooling": Option(
        "site",
        choices=("site", "mean", "max", "tokens", "segments"),
        about="of the bases of a sequence; `site` is one of them",
    ),
    "site": Option(
        None, minimum=1, type=int, about="which base is the site, from 1; null is the middle one"
    ),
    "flanks": Option(
        ["", ""], type=list, about="bases before and after each sequence; beyond them is N"
    ),
    "segments": Option(None, minimum=1, type=int, about="rows a sequence, of `pooling: segments`"),
    "untrained": UNTRAINED,
}
ALPHABET = "dna"
LICENCE = "CC BY-NC 4.0: for academic and non-commercial use"
UNREADABLE = (
    *(OSError, KeyError, ValueError, AttributeError, TypeError, RuntimeError),
    zipfile.BadZipFile,
)
"""What a damaged or another file raises."""
MEMBER = "spliceai/models/spliceai{}.h5"
CONTEXT = 5_000
"""Bases to each side of a base that the networks see."""
CHUNK = 5_000  # bases whose states are computed at one time
BATCH_BYTES = 8 * 2**20  # of the widest array of a batch
WIDEST = 4 * 32 * 500  # bytes of it for a short text: 210 bases to each side, with some more


def weights_source(options: dict[str, Any]) -> dict[str, str]:
    """The wheel, which has all five."""
    return {
        "artifact": "spliceai-1.3.1-py2.py3-none-any.whl",
        "sha256": "63c633b8de6803d4ffb613e6ef62f1a896fec9fc13245c0f000ff7adea279776",
    }


def normalise(sequence: str, options: dict[str, Any]) -> str:
    """Upper-case bases, U as T, other codes as N; DataError where there is no base `site`."""
    text = normalise_dna(sequence)
    if options["site"] is not None and options["site"] > len(text):
        raise DataError(f"`site: {options['site']}` is beyond its {len(text)} bases")
    return text


def load(options: dict[str, Any], weights: Path | None, device: str, dtype: str) -> SpliceAI:
    """The networks of the wheel `weights`; DataError where it does not have them."""
    if weights is None:
        raise DataError(
            "features: spliceai needs the path of its weights",
            hint=f"they are {weights_source(options)['artifact']}, which the pipeline fetches",
        )
    if len(options["flanks"]) != 2:
        raise DataError("features: `flanks` are two texts, of the bases before and after")
    flanks = [normalise_dna(flank) if flank else "" for flank in options["flanks"]]
    seed = options["untrained"]
    arrays = [
        untrained(found, seed + number) if seed is not None else found
        for number, found in enumerate(_read(weights, options["networks"]))
    ]
    encoder = SpliceAI(arrays, device, (flanks[0], flanks[1]), options["site"])
    encoder.at_site = options["pooling"] == "site"
    encoder.identity |= {"weights_sha256": sha256(weights), "networks": options["networks"]}
    encoder.identity |= {"flanks": flanks, "site": options["site"] if encoder.at_site else None}
    if seed is not None:
        encoder.identity["untrained"] = seed
    return encoder


def _read(wheel: Path, count: int) -> list[dict[str, np.ndarray]]:
    import h5py

    from bioloom.embedders._spliceai import arrays_of

    networks = []
    try:
        with zipfile.ZipFile(wheel) as archive:
            for number in range(1, count + 1):
                content = io.BytesIO(archive.read(MEMBER.format(number)))
                with h5py.File(content, "r") as h5:
                    networks.append(arrays_of(h5))
    except UNREADABLE as error:
        raise DataError("this is no wheel with the networks of SpliceAI", file=wheel) from error
    return networks


class SpliceAI:
    """Up to five networks side by side."""

    special = (0, 0)
    mean_special = False
    at_site = True

    def __init__(
        self,
        arrays: list[dict[str, np.ndarray]],
        device: str = "cpu",
        flanks: tuple[str, str] = ("", ""),
        site: int | None = None,
    ) -> None:
        """`arrays` of each network, as `_spliceai.arrays_of` gives them; `site` counts from 1."""
        from bioloom.embedders._spliceai import Network

        self.device, self.flanks, self.site = device, flanks, site
        self.networks: list[Network] = [Network(weights, device) for weights in arrays]
        self.identity: dict[str, Any] = {"dtype": "float32"}
        self.info: dict[str, Any] = {"device": device}
        self._known: dict[str, list[Reference]] = {}

    def encode(self, sequences: Sequence[str]) -> Iterator[States]:
        """The site of each sequence, many of one length at a time; or all bases, one by one."""
        import torch

        if not self.at_site:
            for i, sequence in enumerate(sequences):
                with torch.inference_mode():
                    values = self._of_all_bases(sequence)
                yield States(np.array([i]), values, np.array([len(sequence)]))
            return
        lengths = np.array([len(sequence) for sequence in sequences])
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            size = max(1, BATCH_BYTES // (WIDEST + 4 * 32 * int(length)))
            for start in range(0, len(rows), size):
                batch = rows[start : start + size]
                with torch.inference_mode():
                    values = self._of_sites([sequences[i] for i in batch])
                yield States(batch, values, np.ones(len(batch), dtype=np.int64))

    def reference(self, sequences: Sequence[str]) -> list[np.ndarray]:
        """Each sequence alone, in its whole context."""
        import torch

        with torch.inference_mode():
            states = [self._of_all_bases(sequence).cpu().numpy() for sequence in sequences]
        if not self.at_site:
            return states
        return [
            values[[self._place(sequence)]]
            for values, sequence in zip(states, sequences, strict=True)
        ]

    def chances(self, text: str) -> np.ndarray:
        """Chances (n, 3) of neither, acceptor and donor, the mean over networks, of n inner bases.

        To each side of these the text has `CONTEXT` letters more.
        """
        import torch

        letters = self._letters(text)[None]
        with torch.inference_mode():
            said = [net.chances(net.states(letters)[0].T).exp() for net in self.networks]
            return torch.stack(said).mean(dim=0).cpu().numpy()

    def _place(self, sequence: str) -> int:
        """The site from 0; `min` is for the self-check, which reads the beginning of a sequence."""
        n = len(sequence)
        return (n - 1) // 2 if self.site is None else min(self.site, n) - 1

    def _of_sites(self, sequences: list[str]) -> torch.Tensor:
        """Rows (B, 35 a network) of the sites of sequences of one length."""
        import torch

        place = self._place(sequences[0])
        n = len(sequences[0])
        half = min(max(place, n - 1 - place), CONTEXT)
        texts = [_window(text, place, half) for text in sequences]
        letters = torch.stack([self._letters(text) for text in texts])
        context = _window("N" * n, place, CONTEXT, self.flanks)
        references = self._references(context)
        return torch.cat(
            [
                _with_chances(network, network.changed(letters, reference))
                for network, reference in zip(self.networks, references, strict=True)
            ],
            dim=1,
        )

    def _references(self, context: str) -> list[Reference]:
        if context not in self._known:
            self._known.clear()  # they are large, and sequences come by length
            letters = self._letters(context)[None]
            self._known[context] = [network.reference(letters) for network in self.networks]
        return self._known[context]

    def _of_all_bases(self, sequence: str) -> torch.Tensor:
        """Rows (T, 35 a network) of all bases, a stretch of CHUNK at a time."""
        import torch

        before, after = self.flanks
        padded = ("N" * CONTEXT + before)[-CONTEXT:] + sequence + (after + "N" * CONTEXT)[:CONTEXT]
        parts = []
        for start in range(0, len(sequence), CHUNK):
            stop = min(start + CHUNK, len(sequence))
            letters = self._letters(padded[start : stop + 2 * CONTEXT])[None]
            rows = [
                _with_chances(network, network.states(letters)[0].T) for network in self.networks
            ]
            parts.append(torch.cat(rows, dim=1))
        return torch.cat(parts)

    def _letters(self, text: str) -> torch.Tensor:
        """(4, n) of 0 and 1; N is all zeros."""
        import torch

        codes = np.frombuffer(text.encode(), dtype=np.uint8)
        table = np.frombuffer(BASES.encode(), dtype=np.uint8)
        return torch.from_numpy((codes == table[:, None]).astype(np.float32)).to(self.device)


def _window(text: str, place: int, half: int, flanks: tuple[str, str] = ("", "")) -> str:
    """`half` letters to each side of one in the text, then of its flanks, then N."""
    before = "N" * half + flanks[0] + text[:place]
    after = text[place:] + flanks[1] + "N" * half
    return before[len(before) - half :] + after[: half + 1]


def _with_chances(network: Network, states: torch.Tensor) -> torch.Tensor:
    """States (T, 32) with the logarithms of three chances beside them, (T, 35)."""
    import torch

    return torch.cat([states, network.chances(states)], dim=1)
