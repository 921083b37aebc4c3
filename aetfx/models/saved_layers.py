"""Every layer that aetfx puts into models: after `import aetfx.models.saved_layers` Keras can load what it saved."""

import aetfx.models.family_layers
import aetfx.models.packing_layers
import aetfx.preprocessing.layers  # noqa: F401 (each registers its layers)
