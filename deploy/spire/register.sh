#!/bin/sh
# Registers svid-exchange and its components. `npm run test:spire` runs this very script.
#
#   AGENT_ID           the agent's own SPIFFE ID: `spire-server agent list` shows it
#   SPIRE_SERVER       the program, if it is not on the PATH
#   SERVER_SOCKET      the server's socket, as in server.conf
#   DELEGATE_SELECTOR  how the agent knows the process of svid-exchange
set -eu
: "${AGENT_ID:?set it to the SPIFFE ID of the agent}"
: "${SPIRE_SERVER:=spire-server}"
: "${SERVER_SOCKET:=/run/spire/server/api.sock}"
: "${DELEGATE_SELECTOR:=unix:user:svidx}"

# entry ID SPIFFE-ID SELECTOR: whoever has the selector has the SPIFFE ID. (An entry's own ID is for finding it again:
# `spire-server entry delete -entryID ledger`.)
entry() {
    "$SPIRE_SERVER" entry create -socketPath "$SERVER_SOCKET" -parentID "$AGENT_ID" \
        -entryID "$1" -spiffeID "$2" -selector "$3"
}

# 1. svid-exchange itself: a process, known by its user. Its SPIFFE ID stands in authorized_delegates of agent.conf.
entry svid-exchange spiffe://example.org/svid-exchange "$DELEGATE_SELECTOR"

# 2. Each component: the SPIFFE ID and the selectors of its policy. SPIRE attests nothing here. It believes its delegate,
#    which sends these selectors after its policy has said who is asking. So they are names that you choose; they only
#    must not be among those that an attestor of SPIRE gives to processes (unix:, k8s:, docker:).
entry api-gateway spiffe://example.org/spiffe-in-practice/api-gateway wasmcloud:component:api-gateway
entry ledger spiffe://example.org/spiffe-in-practice/ledger wasmcloud:component:ledger

# The parent is the agent: these entries are this agent's. Under the ID of svid-exchange as the parent (-parentID
# spiffe://example.org/svid-exchange) one entry serves on every agent where svid-exchange runs, and goes when its entry goes.
#
# An entry that names another trust domain (-federatesWith spiffe://partner.example) brings that trust domain's keys to this
# agent, and so to svid-exchange, which keeps them apart. The server must have them: spire-server bundle set.
