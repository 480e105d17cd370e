"""The Streamlit dashboard, its charts and the command line."""
