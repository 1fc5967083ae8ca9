"""Made records of image experiments: what a run would leave if it ended at a given accuracy."""

import numpy as np

from empirical import records as files
from empirical.experiments import EXPERIMENTS, layer_studies
from empirical.experiments.few_shot import declaration
from empirical.records import Record
from paper_checks.arnold2019 import image_experiments as room2019
from paper_checks.arnold2021.image_experiments import TITLES

IDS = ("arnold2019/omniglot-linear", "arnold2019/cnn", "arnold2021/linear-images", "arnold2021/cnn")
CNN = "arnold2021/cnn"
PLAIN, LINNET = "omniglot CNN(2) MAML", "omniglot CNN(2) MAML w/ LinNet"
SEARCHED = "omniglot CNN(3) MAML"


def studied(setting, level: float, seeds: int, small: float) -> dict:
    """What the studies of a setting would find if the papers were right; a pruned network would have `small`."""

    def by_seed(value: float) -> list[float]:
        return [value] * seeds

    layers, low = ("C1", "C2", "C3", "C4", "FC"), level - 0.3
    found = {
        "freezing": {
            "freezing only this": {layer: by_seed(low if layer == "C4" else level) for layer in layers},
            "adapting only this": {layer: by_seed(level if layer == "C4" else low) for layer in layers},
        },
        "noise": {f"{scale:g}": by_seed(level - 0.15 * scale) for scale in layer_studies.NOISE},
        "scaling": {
            "before adaptation": {
                n: {
                    f"{s:g}": by_seed(level if n in ("C1", "C2", "C3") or s == 1 else level - DROPS[setting.dataset])
                    for s in layer_studies.SCALES
                }
                for n in layers
            },
            "after adaptation": {n: {f"{s:g}": by_seed(level) for s in layer_studies.SCALES} for n in layers},
        },
        "pruning": {
            f"{t:g}": {"accuracy": by_seed(small if t else level), "share left": SHARES[setting.dataset] if t else 1.0}
            for t in layer_studies.THRESHOLDS[setting.dataset]
        },
        "collapsing": {
            "collapsed, then adapted": by_seed(small),
            "collapsed, then adapted, by factor of the rate": {
                f"{factor:g}": by_seed(small) for factor in layer_studies.COLLAPSED_RATES
            },
            "collapsed, not adapted": by_seed(0.2),
        },
    }
    return {study: found[study] for study in setting.studies}


def collapsed_along_training(setting, scale) -> dict:
    """What `collapsing` would find at each look: late in training higher rates are better, and early lower ones."""
    count = len(scale.looked(setting.iterations))

    def rows(factor: float) -> list[list[float]]:
        return [[0.2 + 0.005 * (10 - abs(factor - 30 * k / (count - 1)) / 3)] * scale.seeds for k in range(count)]

    by_rate = {f"{factor:g}": rows(factor) for factor in layer_studies.COLLAPSED_RATES}
    return {
        "collapsed, then adapted": by_rate["1"],
        "collapsed, then adapted, by factor of the rate": by_rate,
        "collapsed, not adapted": [[0.2] * scale.seeds] * count,
    }


DROPS = room2019.DROPS | {"mini-imagenet": 0.1}
SHARES = {d: room2019.MODELS[d][2] / room2019.MODELS[d][4] for d in TITLES}


def curve(setting, scale, level: float | None, shifts) -> dict:
    """Of a run that rises from chance to a level; one that diverges has no number from the second look on."""
    at, chance = scale.looked(setting.iterations), 1 / setting.ways
    rise = [chance + ((level or chance) - chance) * k / max(1, len(at) - 1) + shifts for k in range(len(at))]
    rows = [[None] * scale.seeds if level is None and k else row.tolist() for k, row in enumerate(rise)]
    return {
        "meta_iteration": at,
        "test_accuracy": rows,
        "training_accuracy": [None, *([None if a is None else a + 0.01 for a in row] for row in rows[1:])],
    }


def made_up(experiment: str, name: str, tier: str, level: float | None, validation=None, small=0.25) -> list[Record]:
    """A setting's records, one for each candidate, that end at a level (by candidate, where it is a list) or have diverged."""
    module = EXPERIMENTS[experiment]
    setting, scale = module.TIERS[tier].cut(module.SETTINGS[name]), module.TIERS[tier]
    scatter = np.random.default_rng(0)
    shifts, tasks = 1e-4 * scatter.normal(size=scale.seeds), 0.01 * scatter.normal(size=setting.test_tasks)
    tasks, shifts, found = tasks - tasks.mean(), shifts - shifts.mean(), []
    size = sum(weight.numel() for weight in setting.module().parameters())
    for number, (inner, outer) in enumerate(setting.rates):
        own = level[number] if isinstance(level, list) else level
        by_seed = [None] * scale.seeds if own is None else (own + shifts).tolist()
        preferred = own if validation is None or own is None else validation[number]
        found.append(
            Record(
                experiment,
                name + (f", inner {inner:g}, outer {outer:g}" if len(setting.rates) > 1 else ""),
                tier,
                declaration(setting, inner, outer, scale),
                list(range(scale.seeds)),
                "",
                setting.parameters(),
                curve(setting, scale, own, shifts),
                {},
                1.0,
                {"device": "cpu (made up)", "threads": 1, "compiled": True},
                {
                    "diverged_at": [7 if own is None else None] * scale.seeds,
                    "seconds_per_meta_step": 1.0,
                    "model_parameters": size,
                    "optimizer_parameters": setting.parameters() - size,
                    "test_accuracy_per_seed": by_seed,
                    "validation_accuracy_per_seed": [preferred] * scale.seeds,
                    # meta-training is worth nothing to logistic regression
                    "test_accuracy_from_scratch_per_seed": by_seed if name == "LR" else [0.2] * scale.seeds,
                    "test_accuracy_per_task": None if own is None else (own + tasks).tolist(),
                    "studies": studied(setting, 0.2 if own is None else own, scale.seeds, small),
                    "studies_along_training": {
                        study: collapsed_along_training(setting, scale)
                        for study in setting.studies
                        if study == "collapsing"
                    },
                },
            )
        )
    return found


def write(place, experiment: str, found: list[Record], tier: str = "full") -> None:
    suffix = ".jsonl" if tier == "full" else f".{tier}.jsonl"
    files.write(place / "results" / f"{experiment}{suffix}", found)


def timed(dataset: str, seconds: dict[str, list[float]], turn: str = "one") -> list[Record]:
    """Records of times, by method, of what was timed in one turn."""
    module = EXPERIMENTS["arnold2019/costs"]
    return [
        Record(
            "arnold2019/costs",
            f"{dataset} {method}",
            "full",
            module.declaration(f"{dataset} {method}", module.TIERS["full"]),
            [0],
            "",
            12,
            {"round": list(range(1, len(taken) + 1)), "seconds": taken},
            {},
            1.0,
            {"device": "cpu (made up)", "threads": 1},
            {
                "fingerprint": turn,
                "median_seconds": sorted(taken)[len(taken) // 2],
                "model_parameters": 7,
                "optimizer_parameters": 5,
            },
        )
        for method, taken in seconds.items()
    ]
