/**
 * Plain English for prompts and for texts to embed. Every sentence is one that a reader would believe: word lengths,
 * punctuation and rare words are those of prose, so that tokenizers cut it as they cut what people write.
 */
export const sentences: readonly string[] = `
The harbour master kept a notebook in which every ship that came in after dark had its own line.
In the spring the river rises by two metres, and the lower meadows stand under water until the end of May.
A good knife is sharpened little and often, on a wet stone, at the same angle from heel to tip.
She had learned to read from the labels of seed packets, long before anyone thought of sending her to school.
The committee met eleven times that year and agreed on nothing but the date of its next meeting.
Bread that is left to rise overnight in a cool room tastes better than bread that is hurried along in a warm one.
From the window of the signal box you could see both tunnels, and between them the whole length of the platform.
Most of the island's wells are brackish, so the rain that falls on the roofs is collected in stone cisterns.
The first telescope in the collection was built by a clockmaker who had never looked through one before.
When the wind turns to the north-east, the smoke of the brickworks drifts over the market square.
He repaired accordions, and on Thursdays also sewing machines, in a shop no wider than its own door.
Nobody could say who had planted the walnut tree, but everybody knew whose children had fallen out of it.
The survey counted forty-one species of moss on a single north wall behind the old library.
A letter took nine days by the northern road and six by the southern one, unless the ferry was frozen in.
Copper roofs turn green because the metal joins with what the rain brings, and the green layer keeps the rest from rusting away.
The apprentices were allowed to burn the crooked boards in winter, which is why so many boards were crooked.
It is easier to count the sheep when they pass through a narrow gate, one after another, than when they stand in the field.
The museum bought the violin without its case, and three years later the case without its violin.
Her grandmother's recipe asked for "enough flour", and no one in the family has ever agreed on how much that is.
The clock in the station hall runs two minutes fast so that travellers who hurry still have time to buy a newspaper.
Salt was once worth more than the fish it preserved, and the road along the coast still carries its name.
The engineers had expected granite and found clay, so the tunnel took four years instead of eighteen months.
An owl had moved into the empty bell tower, and the ringing of the bells was put off until its young had flown.
The cheapest way to heat the greenhouse turned out to be the compost heap that leaned against its back wall.
Of the twelve bridges in the town, only the smallest has never been closed for repairs.
They measured the glacier every August with the same iron chain, and every August the chain had grown too long.
A map that shows everything is as useful as a drawer that holds everything: you have to empty it to find what you want.
The orchestra rehearsed in a disused swimming pool, where every cough came back a second later from the deep end.
The baker gave the first loaf of the day to the night watchman, and the last one to whoever asked for it.
Fog in this valley lies so still in October that the church spires stand in it like masts in a harbour.
He wrote his reports in pencil, because ink freezes and pencil does not.
The school had one microscope, and the queue in front of it was longer than the queue for lunch.
On the far side of the lake the road ends at a gate with a bell, and behind the gate there is only forest.
The price of a window seat was an hour of silence, and most passengers paid it gladly.
Bees find their way home by the sun, even when clouds cover it, since they can see how its light is scattered.
The printer mixed his own black from soot and linseed oil, and it has not faded in a hundred and fifty years.
After the flood the furniture was carried out to dry, and for a week the street looked like one long living room.
The old railway timetable listed a train that had not run since the war, because nobody wished to redraw the page.
She could tell the age of a horse by its teeth and the age of a house by its nails.
The tide leaves the causeway dry for five hours, which is long enough to walk to the chapel, but not to stay for the sermon.
Glass is neither as solid as it looks nor as liquid as people like to say.
The village has two bakeries and one bank, and it used to be the other way round.
A storm took the roof of the boathouse and set it down, almost undamaged, in the neighbour's orchard.
Every autumn the geese rest on the flooded fields for three nights, and on the fourth morning they are gone.
The librarian lent umbrellas as well as books, and the umbrellas came back more often.
The oldest part of the city wall was built with stones from a theatre, and some of them still carry the numbers of the seats.
Anyone who had business at the mill was offered soup first, and business afterwards.
The expedition carried eleven barometers, nine of which were broken before it reached the foot of the mountain.
It rained on the day of the fair, as it had rained on the day of every fair that anyone could remember.
The carpenter kept the offcuts of forty years in a loft, sorted by colour, in case somebody should want a violin.
To grow straight, a young tree needs wind; one that is tied to a stake on every side falls when the stakes are taken away.
The telegram contained four words, and it took the family the whole evening to agree on what they meant.
There are three ways up the hill: the road, the steps, and the path that the goats have made, which is the quickest.
The physician charged the rich by the visit and the poor by the cure.
In the archive the ledgers stand by year and not by subject, so that a researcher must know when before asking what.
The lamp was lit with one match at dusk and burned until morning on half a litre of oil.
His collection of keys fitted none of the doors he owned, and several that he did not.
The desert road is marked by oil drums at every kilometre, since the sand covers everything that is lower.
Potatoes came to the valley with a soldier who had kept a handful of them in his coat for two winters.
The chess club met above the fire station and adjourned its games whenever the alarm went off.
Paper made of rags lasts for centuries, while paper made of wood turns brown in the time it takes to forget what was printed on it.
The painter signed his pictures on the back, where he also noted the weather.
Between the two world fairs the tower was painted seven times, each time in a slightly lighter shade of brown.
The lock keeper knew the boats by their engines and had the gates open before they came round the bend.
Mushrooms appear overnight, but the threads they grow from have been spreading under the leaves for years.
The bridge was designed for carts and carries lorries now, with a sign that asks them to keep their distance.
My neighbour winds his watch at noon, when the siren of the factory tells the whole district what time it is.
The weather station on the summit was staffed by two men who had not spoken to each other since February.
A wooden ship is never finished: while its bow is being caulked, its stern begins to leak again.
The tea was carried over the pass in bricks, which served as money where coins were not trusted.
Children in the upper village go to school by cable car, and they are late whenever there is thunder.
The translation kept the rhymes and lost the jokes, and a later one kept the jokes and lost the rhymes.
When the reservoir is low in a dry summer, the chimneys of the drowned farms come out of the water one by one.
The inventor of the machine sold it three times, to three brothers, each of whom believed that he was the only buyer.
Under the floor of the kitchen there was a second floor, and under that one the coins were found.
A shadow is longest when there is least light to make it, as the astronomer liked to tell his students in winter.
The ferryman's dog crossed the river eight times a day and was known on both banks by different names.
The last page of the diary lists what was left: a lantern, two blankets, some rope, and a tin of peaches.
Nothing in the workshop was thrown away, so that finding a screw took longer than turning one.
The concert began with an hour's delay and ended, to everyone's surprise, exactly on time.
`
  .trim()
  .split("\n");
