"""Planning by a language model."""

from agents.planners.llm.planner import LLMPlanner, Model

__all__ = ["LLMPlanner", "Model"]
