-- Keeps with each session the room and the tenant that its address named (?room=ROOM&prefix=TENANT), over WebSocket and
-- BOSH alike.

local http = require "util.http";

module:set_global();

local function remember(event)
	local query = event.request.url.query;
	if not query then
		return;
	end
	local parameters = http.formdecode(query);
	if type(parameters) == "table" then
		event.session.jitsi_web_query_room = parameters.room;
		event.session.jitsi_web_query_prefix = parameters.prefix or "";
	end
end

module:hook_global("bosh-session", remember);
module:hook_global("websocket-session", remember);
