"""What `pulumi package add` runs: serves the components to programs in YAML, TypeScript, Go and other languages."""

import sys
from pathlib import Path

# A checkout or what Pulumi has cloned of one, in which the packages lie beside this folder.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from components.provider.host import serve

if __name__ == "__main__":
    serve()
