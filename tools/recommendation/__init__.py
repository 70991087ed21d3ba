"""The recommendation agent: read a request, find products that fit it, rank them, explain the choice."""

from shopfloor.tools.recommendation.agent import RecommendationAgent
from shopfloor.tools.recommendation.query import ParsedRequest, Recommendation, RecommendQuery
from shopfloor.tools.recommendation.refinement import refines_previous
from shopfloor.tools.recommendation.usage import ModelUsage

__all__ = ["ModelUsage", "ParsedRequest", "RecommendQuery", "Recommendation", "RecommendationAgent", "refines_previous"]
