-- A moderator ends the meeting for all: a message with <end_conference/> to this component destroys the room that the
-- sender's WebSocket or BOSH session named.

local hosts = module:require "hosts";
local st = require "util.stanza";

module:depends("jitsi_session");
local muc = module:get_option_string("muc_component");

hosts.component("end_conference", function (event)
	local origin, stanza = event.origin, event.stanza;
	if not stanza:get_child("end_conference") then
		return false;
	end
	local name, tenant = origin.jitsi_web_query_room, origin.jitsi_web_query_prefix;
	if name and tenant ~= "" then
		name = "[" .. tenant .. "]" .. name;
	end
	local room = name and hosts.room(name:lower() .. "@" .. muc);
	local occupant = room and room:get_occupant_by_real_jid(stanza.attr.from);
	if not occupant then
		origin.send(st.error_reply(stanza, "cancel", "item-not-found"));
	elseif occupant.role ~= "moderator" then
		origin.send(st.error_reply(stanza, "auth", "forbidden"));
	else
		room:destroy(nil, "The meeting has been terminated");
	end
	return true;
end);
