"""Who says yes when no person does: everything, a file of rules, or rules that were remembered."""

from agents.policy.files import load_policy
from agents.policy.memory import Always, path_of, remember, remembered, revoke, rule_like
from agents.policy.rules import Bounds, Rule, acts_outside, risk_of
from agents.policy.verdicts import Policy, Remembered, Ruling, approve_all
from agents.policy.words import as_yaml, in_words

__all__ = [
    "Always",
    "Bounds",
    "Policy",
    "Remembered",
    "Rule",
    "Ruling",
    "acts_outside",
    "approve_all",
    "as_yaml",
    "in_words",
    "load_policy",
    "path_of",
    "remember",
    "remembered",
    "revoke",
    "risk_of",
    "rule_like",
]
