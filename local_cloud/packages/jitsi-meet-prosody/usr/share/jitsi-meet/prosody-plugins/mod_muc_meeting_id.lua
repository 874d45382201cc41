-- Gives each room an id, told to whoever may ask what the room is. Jicofo may replace it. Nobody enters a room before
-- jicofo (nickname focus) has; those who come first wait at the door.

local uuid = require "util.uuid".generate;
local is_admin = require "core.usermanager".is_admin;

local FIELD = "muc#roominfo_meetingId";
local WAITING_AT_MOST = 500;

module:hook("muc-room-created", function (event)
	event.room._data.meetingId = uuid();
end);

local function add_field(event)
	table.insert(event.form, {
		name = FIELD, type = "text-single", label = "Id of the meeting", value = event.room._data.meetingId or "",
	});
end
module:hook("muc-disco#info", add_field);
module:hook("muc-config-form", add_field, 90 - 3);

module:hook("muc-config-submitted/" .. FIELD, function (event)
	if is_admin(event.actor, module.host) then
		event.room._data.meetingId = event.value;
	end
	return true;
end, 99);

module:hook("muc-occupant-pre-join", function (event)
	local room = event.room;
	if room.focus_was_here then
		return;
	end
	if event.occupant.nick:match("/focus$") then
		room.focus_was_here = true;
		local waiting = room.waiting_for_focus or {};
		room.waiting_for_focus = nil;
		module:add_timer(0, function ()
			for _, each in ipairs(waiting) do
				if each.origin.conn then
					room:handle_normal_presence(each.origin, each.stanza);
				end
			end
		end);
		return;
	end
	room.waiting_for_focus = room.waiting_for_focus or {};
	if #room.waiting_for_focus >= WAITING_AT_MOST then
		module:log("error", "Too many wait for jicofo at %s", room.jid);
	else
		table.insert(room.waiting_for_focus, event);
	end
	return true;
end, 8);
