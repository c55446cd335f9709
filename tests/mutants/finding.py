"""A pytest plugin: a counterexample is wanted, not the smallest one."""

from __future__ import annotations

from hypothesis import Phase, settings

settings.register_profile("finding", phases=[Phase.explicit, Phase.generate], deadline=None)
