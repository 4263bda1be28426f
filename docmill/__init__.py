"""docmill: documents in, vectors out."""

import os

__version__ = "0.1.0"

# onnxruntime looks for this when it is loaded; without it, it resolves a telemetry host and keeps a device id under
# ~/.cache. Set here because every process of docmill begins with this module.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
