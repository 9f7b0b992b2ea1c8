"""The assembly graph against one of plain Python; contigs of simulated genomes; GFA; figures."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from bioloom.errors import DataError
from bioloom.formats.dna import reverse_complement
from bioloom.formats.gfa import Link, Segment, read_gfa, write_gfa
from bioloom.reads.assembly.assemble import assemble
from bioloom.reads.assembly.bridges import bridge
from bioloom.reads.assembly.figures import against_reference, by_kmers, contiguity, n50
from bioloom.reads.assembly.graph import (
    NONE,
    Graph,
    build_graph,
    count_hashes,
    only_way,
    rescue,
)
from bioloom.reads.assembly.pairs import Link as PairLink
from bioloom.reads.assembly.pairs import gaps_of
from bioloom.reads.assembly.pictures import MOST, _layout, draw_graph
from bioloom.reads.assembly.simplify import compact, simplify
from bioloom.reads.correction import correct
from bioloom.reads.kmers import count_kmers
from bioloom.reads.sequences import Reads, decode, encode
from bioloom.reads.simulate import PROFILE, simulate_pairs
from tests.tiny_reads import from_matrix

GENOME = np.random.default_rng(0).integers(0, 4, 30_000).astype(np.uint8)
K = 31


def reads_of(texts: list[str]) -> Reads:
    codes = encode("".join(texts))
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    return Reads(codes, np.full(len(codes), 37, np.uint8), offsets)


def graph_of(texts: list[str], k: int = K, threshold: int = 1) -> Graph:
    reads = reads_of(texts)
    return build_graph(reads, k, count_hashes(reads, k), threshold)


def canonical(text: str) -> str:
    return min(text, reverse_complement(text))


def unitigs_of(graph: Graph) -> list[str]:
    return sorted(canonical(decode(graph.sequence(2 * i))) for i in range(len(graph.coverage)))


def slow_unitigs(texts: list[str], k: int, threshold: int) -> list[str]:
    """Unitigs as strings; those that close on themselves are cut anywhere, so left out."""
    counts = Counter(canonical(t[i : i + k]) for t in texts for i in range(len(t) - k + 1))
    solid = {kmer for kmer, count in counts.items() if count >= threshold and "N" not in kmer}

    def after(kmer):
        return [kmer[1:] + c for c in "ACGT" if canonical(kmer[1:] + c) in solid]

    def extended(kmer):
        """The unitig from a k-mer to the right; None of a circle."""
        text, seen = kmer, {canonical(kmer)}
        while len(following := after(text[-k:])) == 1:
            (new,) = following
            if len(after(reverse_complement(new))) != 1:
                break
            if new == kmer:
                return None
            if canonical(new) in seen:
                break
            seen.add(canonical(new))
            text += new[-1]
        return text

    found = set()
    for kmer in solid:
        left = extended(reverse_complement(kmer))
        if left:
            found.add(canonical(extended(reverse_complement(left)[:k])))
    return sorted(found)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text("AC", min_size=8, max_size=30) | st.text("ACGTN", max_size=40), max_size=6),
    st.sampled_from([3, 5, 7]),
    st.integers(1, 2),
)
def test_unitigs_are_those_of_plain_python(texts, k, threshold):
    texts = texts + texts[:1]
    graph = graph_of(texts, k, threshold)
    slow = slow_unitigs(texts, k, threshold)
    assert set(slow) <= set(unitigs_of(graph))
    kmers = Counter(
        canonical(t[i : i + k]) for t in unitigs_of(graph) for i in range(len(t) - k + 1)
    )
    assert set(kmers.values()) <= {1}  # each solid k-mer stands once


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("ACG", min_size=8, max_size=30), max_size=6), st.sampled_from([3, 5]))
def test_links_overlap_and_go_both_ways(texts, k):
    graph = graph_of(texts, k)
    for oriented, targets in enumerate(graph.links):
        for target in targets[targets != NONE]:
            one, other = graph.sequence(oriented), graph.sequence(int(target))
            assert (one[len(one) - k + 1 :] == other[: k - 1]).all()
            assert (oriented ^ 1) in graph.links[target ^ 1]


def test_an_error_in_the_middle_is_a_bubble_and_at_the_end_a_tip():
    genome = decode(GENOME[:400])
    inner = genome[100:150] + "ACGT"["CGTA".index(genome[150])] + genome[151:220]
    ending = genome[230:300] + "ACGT"["CGTA".index(genome[300])] + genome[301:310]
    graph = graph_of([genome] * 5 + [inner, ending])
    assert len(graph.coverage) == 6
    (contig,) = unitigs_of(simplify(graph))
    assert contig == canonical(genome)


def test_compacting_keeps_letters_and_coverage():
    graph = graph_of([decode(GENOME[:300])] * 3 + [decode(GENOME[100:170]) + "ACGT" * 5])
    alive = graph.coverage > 1
    whole = compact(graph, alive)
    assert unitigs_of(whole) == [canonical(decode(GENOME[:300]))]
    assert whole.coverage[0] == pytest.approx((3 * 270 + 40) / 270, rel=0.01)


def test_a_gap_that_one_read_bridges_is_closed_and_an_error_is_not():
    texts = [decode(GENOME[:120])] * 3 + [decode(GENOME[115:240])] * 3
    bridge = decode(GENOME[60:180])
    wrong = decode(GENOME[20:50]) + decode(GENOME[300:340]) + decode(GENOME[51:90])
    reads = reads_of([*texts, bridge, wrong])
    table = count_hashes(reads, K)
    assert rescue(reads, K, table, 2) == 25
    (contig,) = unitigs_of(build_graph(reads, K, table, 2))
    assert contig == canonical(decode(GENOME[:240]))


@pytest.mark.parametrize(("depth", "fewest", "share"), [(30, 20_000, 0.98), (10, 2_000, 0.6)])
def test_contigs_are_the_genome_s(depth, fewest, share):
    pairs = simulate_pairs([GENOME], depth, np.random.default_rng(1), PROFILE)
    reads = from_matrix(pairs.letters.reshape(-1, 150), pairs.qualities.reshape(-1, 150))
    found = assemble(correct(reads).reads)
    strands = decode(GENOME) + "N" + decode(3 - GENOME[::-1])
    exact = [len(contig) for contig in found.contigs if decode(contig) in strands]
    assert n50(exact, len(GENOME)) > fewest
    assert sum(exact) > share * len(GENOME)
    lengths = [len(contig) for contig in found.contigs]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] >= 200
    table = count_kmers(reads, 21)
    assert by_kmers(found.contigs, table, 2)["kmer_completeness"] > 0.97
    assert contiguity(found.contigs, len(GENOME))["total_length"] == sum(lengths)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text("ACG", min_size=6, max_size=14), min_size=1, max_size=3),
    st.text("ACG", min_size=4, max_size=4),
    st.text("ACG", min_size=4, max_size=4),
    st.integers(5, 9),
    st.integers(0, 4),
)
def test_the_only_way_is_that_of_plain_python(texts, begin, end, shortest, more):
    k, lengths = 4, range(shortest, shortest + more + 1)
    reads = reads_of(texts)
    solid = {canonical(t[i : i + k]) for t in texts for i in range(len(t) - k + 1)}
    ways, found = [begin], []
    for _ in range(lengths.stop - k):
        found += [way for way in ways if len(way) in lengths and way.endswith(end)]
        longer = [way + letter for way in ways for letter in "ACGT"]
        ways = [way for way in longer if canonical(way[-k:]) in solid]
    table = count_hashes(reads, k)
    way = only_way(encode(begin), encode(end), k, table, 1, lengths)
    assert (way is None) if len(found) != 1 else decode(way) == found[0]


@pytest.mark.slow
def test_pairs_join_contigs_over_a_repeat():
    """A repeat longer than the reads, between four places of the genome that pairs tell apart."""
    rng = np.random.default_rng(3)
    a, b, c, d = (rng.integers(0, 4, 4000).astype(np.uint8) for _ in range(4))
    repeat = rng.integers(0, 4, 160).astype(np.uint8)
    genome = np.concatenate([a, repeat, b, c, repeat, d])
    profile = PROFILE._replace(length=100, insert_mean=500.0, error_rate=0.0)
    letters = simulate_pairs([genome], 40, np.random.default_rng(1), profile).letters
    reads = from_matrix(letters.reshape(-1, 100), np.full(letters.size, 37).reshape(-1, 100))
    mates = np.arange(len(letters) * 2).reshape(-1, 2)
    alone, joined = assemble(reads), assemble(reads, mates=mates)
    assert len(alone.contigs[0]) < 9000
    assert len(joined.contigs[0]) > 16_000
    strands = decode(genome) + "N" + decode(3 - genome[::-1])
    assert decode(joined.contigs[0]) in strands
    assert joined.headers[0].startswith("joined_1 length=")
    assert "path=unitig_" in joined.headers[0]
    shuffled = np.stack([mates[:, 0], rng.permutation(mates[:, 1])], axis=1)
    assert len(assemble(reads, mates=shuffled).contigs[0]) == len(alone.contigs[0])


@pytest.mark.parametrize("seed", [0, 1])
def test_pairs_join_contigs_that_end_in_a_repeat_of_many_places(seed):
    """There is more than one way through it, and more than one length that a pair allows."""
    rng = np.random.default_rng(seed)
    repeat, *parts = (rng.integers(0, 4, n).astype(np.uint8) for n in (115, *[3000] * 11))
    genome = np.concatenate([part for one in parts for part in (one, repeat)])
    letters = simulate_pairs([genome], 12, rng, PROFILE._replace(error_rate=0.0)).letters
    reads = from_matrix(letters.reshape(-1, 150), np.full(letters.size, 37).reshape(-1, 150))
    joined = assemble(reads, mates=np.arange(len(letters) * 2).reshape(-1, 2))
    assert len(assemble(reads).contigs[0]) < 10_000
    assert len(joined.contigs[0]) > 15_000
    strands = decode(genome) + "N" + decode(3 - genome[::-1])
    assert all(decode(contig) in strands for contig in joined.contigs)


def skewed(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.round(150 + rng.lognormal(np.log(230), 0.45, n)).astype(int)


def even(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.round(rng.normal(400, 40, n)).astype(int)


@pytest.mark.parametrize("inserts", [skewed, even])
@pytest.mark.parametrize("gap", [-100, 0, 100])
def test_pairs_know_the_gap_that_they_span(inserts, gap):
    """However long inserts are: among pairs over a gap there are more of the long ones."""
    rng, length, repeat = np.random.default_rng(1), 3000, max(-gap, 0)
    known = gaps_of(inserts(rng, 20_000), 127)
    right = 0
    for _ in range(50):
        insert, start = inserts(rng, 1500), rng.integers(0, 2 * length + gap, 1500)
        near, far = length - start, start + insert - length - gap
        spans = (near >= K + repeat) & (far >= K + repeat) & (far <= length)
        right += gap in known.of(PairLink((near + far)[spans].mean(), int(spans.sum())))
    assert right >= 45


def test_a_repeat_whose_forks_a_larger_k_lacks_joins_no_strangers():
    """Of A R B and C R D no read has the 95 letters that tell R B, nor those that tell C R."""
    rng = np.random.default_rng(5)
    a, b, c, d, r = ("".join(rng.choice(list("ACGT"), n)) for n in (1000, 1000, 1000, 1000, 150))
    a, b, c, d = a + "A", "A" + b, c + "C", "C" + d  # R is no longer than it is
    end, begin = len(a + r), len(c)
    hidden = {"arb": range(end - 99, end - 93), "crd": range(begin - 6, begin)}
    genome = {"arb": a + r + b, "crd": c + r + d}
    reads = [
        text[start : start + 100]
        for name, text in genome.items()
        for start in range(len(text) - 99)
        if start not in hidden[name]
    ]
    made = assemble(reads_of(reads), (41, 95), threshold=1)
    both = "N".join([*genome.values(), *map(reverse_complement, genome.values())])
    assert sum(map(len, made.contigs)) > 3900
    assert all(decode(letters) in both for letters in made.contigs)


def test_reads_of_too_little_make_no_contig():
    with pytest.raises(DataError, match="No contig has 200 bases; the longest has 150"):
        assemble(reads_of([decode(GENOME[:150])] * 3))


def test_n50_by_hand():
    assert n50([5, 3, 2]) == 5
    assert n50([4, 3, 3]) == 3
    assert n50([4, 3, 3], 30) == 0


def test_figures_against_a_reference_count_what_was_planted():
    pytest.importorskip("mappy")
    reference = {"chromosome": decode(GENOME)}
    turned = np.concatenate([GENOME[2000:6000], 3 - GENOME[15_000:19_000][::-1]])
    changed = GENOME[20_000:28_000].copy()
    changed[[1000, 3000, 5000]] = (changed[[1000, 3000, 5000]] + 1) % 4
    deleted = np.delete(GENOME[8_000:14_000], slice(3000, 3004))
    found = against_reference([turned, changed, deleted, GENOME[:400]], reference)
    assert found["misassemblies"] == 1
    assert found["mismatches_per_100kb"] == pytest.approx(3 / 22_000 * 1e5, rel=0.02)
    assert found["indels_per_100kb"] == pytest.approx(1 / 22_000 * 1e5, rel=0.02)
    assert found["genome_fraction"] == pytest.approx(22_000 / 30_000, rel=0.01)
    assert found["ng50"] == 8000
    assert found["nga50"] == pytest.approx(4000, abs=50)


def test_each_contig_of_a_reference_may_be_circular():
    pytest.importorskip("mappy")
    chromosome, plasmid = GENOME[:20_000], GENOME[20_000:]
    reference = {"chromosome": decode(chromosome), "plasmid": decode(plasmid)}
    turned = [np.roll(chromosome, 7000), np.roll(plasmid, 4000)]
    found = against_reference(turned, reference)
    assert (found["misassemblies"], found["genome_fraction"]) == (0, 1)
    assert against_reference(turned[:1], reference)["misassemblies"] == 0
    # The end of one and the beginning of the next are neighbours in the file alone.
    joined = np.concatenate([chromosome[-5000:], plasmid[:4000]])
    found = against_reference([joined], reference)
    assert found["misassemblies"] == 1
    assert found["genome_fraction"] == pytest.approx(9000 / 30_000, rel=0.01)


def test_quality_by_kmers_counts_those_of_no_read():
    table = count_kmers(reads_of([decode(GENOME)]), 21)
    wrong = GENOME.copy()
    wrong[[5000, 15_000]] = (wrong[[5000, 15_000]] + 1) % 4
    perfect, found = (by_kmers([contig], table, 1) for contig in (GENOME, wrong))
    assert (perfect["kmers_of_no_read"], perfect["qv"]) == (0, None)
    assert found["kmers_of_no_read"] == 42
    assert found["qv"] == pytest.approx(-10 * np.log10(2 / len(GENOME)), abs=0.1)


def test_gfa_has_segments_before_links(tmp_path):
    links = [Link("1", False, "2", True, 30)]
    write_gfa([Segment("1", "ACGT", 3.0), Segment("2", "GGT", 1.5)], links, tmp_path / "a.gfa")
    lines = (tmp_path / "a.gfa").read_text().splitlines()
    assert lines[0] == "H\tVN:Z:1.0"
    assert lines[1:] == [
        "S\t1\tACGT\tLN:i:4\tDP:f:3.00",
        "S\t2\tGGT\tLN:i:3\tDP:f:1.50",
        "L\t1\t+\t2\t-\t30M",
    ]
    assert read_gfa(tmp_path / "a.gfa")[1] == links


def test_the_depth_of_a_graph_of_spades_is_that_of_its_kmers(tmp_path):
    (tmp_path / "a.gfa").write_text("S\t1\tACGT\tKC:i:10\nP\tNODE_1\t1+\t*\n")
    assert read_gfa(tmp_path / "a.gfa") == ([Segment("1", "ACGT", 2.5)], [])


def ring_and_line() -> tuple[list[Segment], list[Link]]:
    """Four unitigs in a ring, and one alone."""
    segments = [Segment(str(i), "A" * 5000, 10.0 * (1 + i)) for i in range(4)]
    links = [Link(str(i), False, str((i + 1) % 4), False, 30) for i in range(4)]
    return [Segment("alone", "A" * 3000, 5.0), *segments], links


def test_a_graph_is_laid_out_to_scale():
    drawing = _layout(*ring_and_line())
    drawn = [np.linalg.norm(np.diff(line, axis=0), axis=1).sum() for line in drawing.lines]
    assert drawn == pytest.approx([3000, *[5000] * 4], rel=0.15)
    ring = np.concatenate(drawing.lines[1:])
    radius = np.linalg.norm(ring - ring.mean(axis=0), axis=1)
    assert radius == pytest.approx(np.full(len(ring), 20_000 / (2 * np.pi)), rel=0.2)
    assert drawing.lines[0].max(axis=0)[1] < ring.min(axis=0)[1]


@pytest.mark.slow
def test_a_picture_of_a_graph_has_the_same_bytes_again_and_not_too_many_unitigs(tmp_path):
    segments, links = ring_and_line()
    small = [Segment(f"small_{i}", "A" * 200, 1.0) for i in range(MOST)]
    drawn = []
    for threads, name in enumerate(("a.svg", "b.svg"), start=1):
        with threadpool_limits(threads):
            drawn.append(draw_graph([*small, *segments], links, tmp_path / name))
    assert drawn == 2 * [{"unitigs": MOST + 5, "unitigs_drawn": MOST}]
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize("through_an_error", [False, True])
def test_pairs_join_contigs_where_hardly_any_read_lies(through_an_error):
    """Their ends overlap by less than a k-mer, or by those of one read with an error."""
    genome = np.random.default_rng(5).integers(0, 4, 9000).astype(np.uint8)
    profile = PROFILE._replace(length=100, insert_mean=400.0, error_rate=0.0)
    pairs = simulate_pairs([genome], 40, np.random.default_rng(1), profile)
    ends, begins = (4495, 4505) if through_an_error else (4510, 4490)
    sides = [(at + 100 <= ends) | (at >= begins) for at in (pairs.start, pairs.end - 100)]
    kept = pairs.letters[sides[0] & sides[1]].reshape(-1, 100)
    mates = np.arange(len(kept)).reshape(-1, 2)
    if through_an_error:
        read = genome[4450:4550].copy()
        read[75] = (read[75] + 1) % 4
        kept = np.vstack([kept, read])
    else:  # to where the ends overlap by 18 letters
        kept = np.vstack([kept, *[genome[4409:4509], genome[4491:4591]] * 3])
    reads = from_matrix(kept, np.full(kept.shape, 37))
    assert len(assemble(reads).contigs[0]) < 5000
    [joined] = assemble(reads, mates=mates).contigs
    assert decode(joined) in decode(genome) + "N" + decode(3 - genome[::-1])


def test_what_overlaps_in_two_ways_is_no_bridge():
    rng = np.random.default_rng(6)
    a, b = (rng.integers(0, 4, 60).astype(np.uint8) for _ in range(2))
    shared = rng.integers(0, 4, 15).astype(np.uint8)
    one, other = np.concatenate([a, shared]), np.concatenate([shared, b])
    gaps = range(-40, 41)
    assert decode(bridge(one, other, [], [], gaps)) == decode(np.concatenate([one, b]))
    assert bridge(one, other, [], [], range(-10, 11)) is None  # not as far as pairs say
    assert bridge(one, other, [a[:3]] * 6, [], gaps) is None  # many reads go on: a repeat
    repeated = np.tile(shared[:3], 8)
    one, other = np.concatenate([a, repeated]), np.concatenate([repeated, b])
    assert bridge(one, other, [], [], gaps) is None


def test_parts_are_what_aligns_between_misassemblies():
    pytest.importorskip("mappy")
    rng = np.random.default_rng(1)
    reference = {"chromosome": decode(GENOME)}
    turned = against_reference([np.roll(GENOME, 14_000)], reference)
    assert (turned["nga50"], turned["unaligned_length"]) == (30_000, 0)
    shorter = np.concatenate([GENOME[:20_000], GENOME[20_900:]])
    found = against_reference([shorter], reference)
    assert found["genome_fraction"] == pytest.approx(29_100 / 30_000, abs=0.001)
    assert found["nga50"] == pytest.approx(29_100, abs=30)
    foreign = rng.integers(0, 4, 9000).astype(np.uint8)
    found = against_reference([np.concatenate([GENOME[:20_000], foreign])], reference)
    assert found["unaligned_length"] == pytest.approx(9000, abs=30)
