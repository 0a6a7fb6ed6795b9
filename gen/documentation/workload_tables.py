"""The tables of workloads of their own kind: embedding tables and graphs."""

from typing import Any

from gen.documentation.results import Kept

Row = dict[str, Any]
Grid = tuple[list[str], list[list[str]]]
"""Headings and rows."""

ARITHMETICS = {"fp32": "layers in FP32", "a8w8": "in 8 bits", "5opt": "5opt", "2opt": "2opt"}
"""What the layers beside the tables are computed in."""


def recommenders(kept: Kept) -> Grid:
    """The recommenders with FP32 tables, and the guess that knows the share of late flights."""
    result = kept.result
    headings = ["tables", "bytes of tables", "log loss", "AUC"]
    rows = [
        [
            *(f"{row['width']} wide", f"{row['bytes']:,}"),
            f"{row['log_loss']:.4f} ± {row['standard_error']:.4f}",
            f"{row['auc']:.4f}",
        ]
        for row in result["models"]
    ]
    return headings, [*rows, ["none: the share of late flights", "", _loss(result), "0.5"]]


def _loss(result: Row) -> str:
    return f"{result['guess_log_loss']:.4f}"


def embeddings(kept: Kept) -> Grid:
    """Size, error and log loss less that of FP32, of each method, number of bits and width."""
    sizes = {row["width"]: row["bytes"] for row in kept.result["models"]}
    headings = ["width", "bits", "method", "size %", "error %"]
    headings += [f"log loss - FP32, {text}" for text in ARITHMETICS.values()]
    rows = [
        [
            *(str(row["width"]), str(row["bits"]), row["method"]),
            *(f"{100 * row['bytes'] / sizes[row['width']]:.1f}", f"{100 * row['error']:.2f}"),
            *(_difference(row[name]) for name in ARITHMETICS),
        ]
        for row in kept.result["rows"]
    ]
    return [*headings, "AUC, in 8 bits"], [
        [*texts, f"{row['a8w8']['auc']:.4f}"]
        for texts, row in zip(rows, kept.result["rows"], strict=True)
    ]


def _difference(scores: Row) -> str:
    near = " ≈" if abs(scores["difference"]) <= scores["difference_error"] else ""
    return f"{scores['difference']:+.5f} ± {scores['difference_error']:.5f}{near}"


def accuracies(kept: Kept) -> Grid:
    """Accuracies on Cora: how a network was trained, what it runs in."""
    rows = [
        [
            *(row["trained"], row["runs"], _summary(row["test"]), _summary(row["hubs"])),
            f"{row['difference']['mean']:+.2f} ± {row['difference']['deviation']:.2f}",
        ]
        for row in kept.result["rows"]
    ]
    headings = ["trained for", "runs in", f"test nodes %, {kept.result['seeds']} seeds", "hubs %"]
    return [*headings, "- FP32 of the same seed"], rows


def _summary(values: Row) -> str:
    return f"{values['mean']:.2f} ± {values['deviation']:.2f}"


def products(kept: Kept) -> Grid:
    """The products of a workload on the array; those of one shape and kind are one row."""
    alike: dict[tuple[Any, ...], list[Row]] = {}
    for row in kept.result["array"]["products"]:
        kind = row["name"].rstrip("0123456789") if "lookup" in row["name"] else row["name"]
        key = (kind, row["m"], row["k"], row["n"], row["exact"], row["bit_exact"])
        alike.setdefault(key, []).append(row)
    rows = []
    for (name, m, k, n, exact, bit_exact), runs in alike.items():
        times = f"{len(runs)} x " if len(runs) > 1 else ""
        counts = [str(sum(run[key] for run in runs)) for key in ("tiles", "cycles")]
        answers = ["yes" if each else "no" for each in (exact, bit_exact)]
        rows.append([f"{times}{name}", f"{m} x {k} x {n}", *counts, *answers])
    headings = ["product", "M x K x N", "tiles", "cycles", "as of exact bytes", "bit-exact"]
    return headings, rows
