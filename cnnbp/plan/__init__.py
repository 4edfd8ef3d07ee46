"""What a tape does otherwise than a network is written, to be fast: layers done together, and in another order."""

from cnnbp.plan.plan import AS_WRITTEN, Plan, Planned, plan_for

__all__ = ["AS_WRITTEN", "Plan", "Planned", "plan_for"]
