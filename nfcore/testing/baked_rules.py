"""The standard tests of a teacher's baked field."""

from __future__ import annotations

from nfcore.exports.baked_rendering import BakedRenderer
from nfcore.interfaces.baked_checks import check_baked
from nfcore.testing.contract import require, rule
from nfcore.testing.fit_rules import FitRules
from nfcore.testing.sphere import cameras_around

#: Difference of a colour value between the field and ``render``: rounding, and light that is left when a ray ends.
EXACT = 2e-3
#: Share of values that may differ by more: a sample on a voxel's border may be in its neighbour.
OUTLIERS = 0.01


class BakedRules(FitRules):
    """The standard tests of what ``baked`` returns; teachers that return None pass."""

    @rule("teacher.baked")
    def test_its_baked_field_is_complete(self) -> None:
        """An exporter must not find out that a tensor is missing or has another shape."""
        baked = self.fitted().baked()
        if baked is not None:
            check_baked(self.fitted(), baked)

    @rule("teacher.baked-agrees")
    def test_its_baked_field_looks_the_same(self) -> None:
        """Exports are drawn from it: the page must show what evaluation scored."""
        baked = self.fitted().baked()
        if baked is None:
            return
        cameras = cameras_around(2, 16, 16, seed=11)
        drawn = BakedRenderer(check_baked(self.fitted(), baked)).render(cameras.rays().flat())
        seen = self.look(cameras).rgb.cpu().reshape(-1, 3)
        error = (drawn.rgb - seen).abs().flatten()
        worst = float(error.quantile(1 - OUTLIERS))
        require(
            worst <= EXACT,
            found=f"colours that differ by {worst:.2g} or more in {OUTLIERS:.0%} of the values",
            right=f"at most {EXACT:g}: see nfcore.interfaces.baked for how it is drawn",
        )
