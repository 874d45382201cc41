"""The clouds that there are, by the word for each in the setting `cloud`."""

from collections.abc import Mapping
from typing import Literal

from components.clouds import aws_terms, hetzner_terms
from components.clouds.terms import Terms

CloudName = Literal["hetzner", "aws"]
DEFAULT: CloudName = "hetzner"
TERMS: Mapping[CloudName, Terms] = {"hetzner": hetzner_terms.TERMS, "aws": aws_terms.TERMS}
TOKENS: Mapping[str, str] = {key: way for terms in TERMS.values() for key, way in terms.tokens.items()}
"""Whatever the chosen cloud: a token in clear is a mistake in any stack file."""
