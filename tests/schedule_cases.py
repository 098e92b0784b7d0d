"""One list of schedules: each with what PyTorch has for it, and a document that says all its arguments."""

from paring.training.schedules import (
    Chain,
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    InverseTime,
    LinearWarmup,
    MultiStep,
    OneCycle,
    Polynomial,
    Step,
)

# (schedule, name in torch.optim.lr_scheduler, its arguments, updates to compare); the rate to begin with is 0.4 in all.
TORCH = [
    (Constant(0.4), "LambdaLR", {"lr_lambda": lambda k: 1.0}, 20),
    (Exponential(0.4, 0.97), "ExponentialLR", {"gamma": 0.97}, 2000),
    (Exponential(0.4, 1.01), "ExponentialLR", {"gamma": 1.01}, 300),
    (Exponential(0.4, 0.5, 7), "LambdaLR", {"lr_lambda": lambda k: 0.5 ** (k / 7)}, 200),
    (Exponential(0.4, 0.5, 7, staircase=True), "StepLR", {"step_size": 7, "gamma": 0.5}, 200),
    (Exponential(0.4, 0.5, end=0.1), "LambdaLR", {"lr_lambda": lambda k: max(0.5**k, 0.25)}, 20),
    (Exponential(0.4, 2, end=1.6), "LambdaLR", {"lr_lambda": lambda k: min(2**k, 4)}, 20),
    (InverseTime(0.4, 0.3), "LambdaLR", {"lr_lambda": lambda k: 1 / (1 + 0.3 * k)}, 200),
    (InverseTime(0.4, 0.3, 5), "LambdaLR", {"lr_lambda": lambda k: 1 / (1 + 0.3 * k / 5)}, 200),
    (InverseTime(0.4, 0.3, 5, True), "LambdaLR", {"lr_lambda": lambda k: 1 / (1 + 0.3 * (k // 5))}, 200),
    (Step(0.4, 30), "StepLR", {"step_size": 30}, 200),
    (Step(0.4, 3, 0.7), "StepLR", {"step_size": 3, "gamma": 0.7}, 200),
    (MultiStep(0.4, [3, 4, 40]), "MultiStepLR", {"milestones": [3, 4, 40]}, 60),
    (MultiStep(0.4, [1], 0.3), "MultiStepLR", {"milestones": [1], "gamma": 0.3}, 5),
    (Polynomial(0.4, 50), "PolynomialLR", {"total_iters": 50}, 60),
    (Polynomial(0.4, 50, 2.5), "PolynomialLR", {"total_iters": 50, "power": 2.5}, 60),
    (
        Polynomial(0.4, 50, end=0.1),
        "LinearLR",
        {"start_factor": 1.0, "end_factor": 0.25, "total_iters": 50},
        60,
    ),
    (Cosine(0.4, 1000), "CosineAnnealingLR", {"T_max": 1000}, 1001),
    (Cosine(0.4, 7, 0.1), "CosineAnnealingLR", {"T_max": 7, "eta_min": 0.1}, 8),
    (CosineRestarts(0.4, 3, 2), "CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2}, 400),
    (CosineRestarts(0.4, 7, end=0.1), "CosineAnnealingWarmRestarts", {"T_0": 7, "eta_min": 0.1}, 100),
    (
        CosineRestarts(0.4, 1, 3, 0.1),
        "CosineAnnealingWarmRestarts",
        {"T_0": 1, "T_mult": 3, "eta_min": 0.1},
        400,
    ),
    (LinearWarmup(0.1, 0.4, 5), "LinearLR", {"start_factor": 0.25, "total_iters": 5}, 10),
    (LinearWarmup(0.4, 0.8, 9), "LinearLR", {"start_factor": 1.0, "end_factor": 1.0}, 1),
    *(
        (
            OneCycle(0.4, steps, fraction, start, end, "cosine" if shape == "cos" else "linear", three),
            "OneCycleLR",
            {
                "max_lr": 0.4,
                "total_steps": steps,
                "pct_start": fraction,
                "div_factor": start,
                "final_div_factor": end,
                "anneal_strategy": shape,
                "three_phase": three,
                "cycle_momentum": False,
            },
            steps,
        )
        for steps, fraction, start, end, shape, three in [
            (10, 0.3, 25.0, 1e4, "cos", False),
            (10, 0.3, 25.0, 1e4, "linear", False),
            (100, 0.33, 10.0, 100.0, "cos", False),
            (100, 0.33, 10.0, 100.0, "linear", True),
            (101, 0.35, 5.0, 7.0, "cos", True),
            (100, 0.5, 5.0, 7.0, "cos", True),
            (20, 0.0, 25.0, 1e4, "cos", False),
            (20, 1.0, 25.0, 1e4, "cos", False),
            (3, 0.3, 25.0, 1e4, "cos", False),
            (10, 0.05, 25.0, 1e4, "linear", True),
        ]
    ),
]

# One document for each kind, as it stands in a checkpoint.
DOCUMENTS = [
    (Constant(0.1), {"version": 1, "kind": "constant", "initial": 0.1}),
    (
        Exponential(0.1, 0.9),
        {
            "version": 1,
            "kind": "exponential",
            "initial": 0.1,
            "rate": 0.9,
            "transition_steps": 1,
            "staircase": False,
            "end": None,
        },
    ),
    (
        InverseTime(1, 2, 3, True),
        {
            "version": 1,
            "kind": "inverse_time",
            "initial": 1.0,
            "rate": 2.0,
            "transition_steps": 3,
            "staircase": True,
        },
    ),
    (Step(0.1, 30), {"version": 1, "kind": "step", "initial": 0.1, "every": 30, "factor": 0.1}),
    (
        MultiStep(0.1, (3, 5), 0.5),
        {"version": 1, "kind": "multi_step", "initial": 0.1, "milestones": [3, 5], "factor": 0.5},
    ),
    (
        Polynomial(0.1, 9),
        {"version": 1, "kind": "polynomial", "initial": 0.1, "steps": 9, "power": 1.0, "end": 0.0},
    ),
    (Cosine(0.1, 9, 0.01), {"version": 1, "kind": "cosine", "initial": 0.1, "steps": 9, "end": 0.01}),
    (
        CosineRestarts(0.1, 9),
        {"version": 1, "kind": "cosine_restarts", "initial": 0.1, "steps": 9, "multiplier": 1, "end": 0.0},
    ),
    (
        OneCycle(0.1, 9),
        {
            "version": 1,
            "kind": "one_cycle",
            "peak": 0.1,
            "steps": 9,
            "warmup_fraction": 0.3,
            "start_divisor": 25.0,
            "end_divisor": 10000.0,
            "shape": "cosine",
            "three_phases": False,
        },
    ),
    (
        LinearWarmup(0, 0.1, 5),
        {"version": 1, "kind": "linear_warmup", "start": 0.0, "peak": 0.1, "steps": 5},
    ),
    (
        Chain([(LinearWarmup(0.0, 0.1, 5), None), (Constant(0.1), None)]),
        {
            "version": 1,
            "kind": "chain",
            "parts": [
                {
                    "schedule": {"kind": "linear_warmup", "start": 0.0, "peak": 0.1, "steps": 5},
                    "steps": 5,
                },
                {"schedule": {"kind": "constant", "initial": 0.1}, "steps": None},
            ],
        },
    ),
]


def schedule_id(case):
    schedule, name, *_ = case
    return f"{type(schedule).__name__}-{name}" if isinstance(name, str) else type(schedule).__name__
