"""A test for each property of the contract and each bijector of this package."""

from flowkit.testing.pytest import contract_tests
from flowkit_sinh_arcsinh.plugin import PLUGIN

test_contract = contract_tests(PLUGIN.bijectors)
