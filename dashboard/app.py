"""The dashboard: what Streamlit runs for every visit, and the application that serves it.

One file, two lives. As a script (`__name__` is `__main__`) it draws a page; imported by a server, as
`rapport run`, `streamlit run dashboard/app.py` and `uvicorn dashboard.app:app` do, it is the application.
"""

import sys
from pathlib import Path

import streamlit as st

# `streamlit run` puts the folder of this file first on the path; the packages lie one above.
if (root := str(Path(__file__).resolve().parents[1])) not in sys.path:
    sys.path.insert(0, root)

if __name__ == "__main__":
    from dashboard import shell

    shell.draw()
else:
    from dashboard import server
    from dashboard.parts.states import failure

    app = st.App(
        __file__,
        lifespan=server.lifespan,
        routes=server.routes(),
        middleware=server.middleware(),
        on_script_error=failure,
    )
