"""The rehearsal: stand-ins that make this machine look like Azure, and the agent that runs azure-pipelines.yml against them."""
